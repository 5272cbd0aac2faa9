// A server's API and its sockets, as the tests use them.
import { io } from "socket.io-client";

const BASE = process.env.BASE;
const WITHIN = 10_000;

/** Sends a request; gives the parsed body of an answer with the expected status. */
export async function call(method, path, { token, body, status = 200, base = BASE } = {}) {
  const headers = { ...(token && { authorization: `Bearer ${token}` }), ...(body && { "content-type": "application/json" }) };
  const answer = await fetch(base + path, { method, headers, body: body && JSON.stringify(body) });
  const text = await answer.text();
  if (answer.status !== status) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return text && JSON.parse(text);
}

/** Logs in and gives the access token. */
export async function login(email, password) {
  return (await call("POST", "/api/auth/login", { body: { email, password } })).access_token;
}

/** Registers a person and gives its id and access token. */
export async function person(name) {
  const account = { email: `${name}-${Date.now()}@example.com`, password: "a-password-for-tests", name };
  await call("POST", "/api/auth/register", { body: account });
  const token = await login(account.email, account.password);
  const claims = JSON.parse(Buffer.from(token.split(".")[1], "base64url"));
  return { token, id: claims.userId };
}

/** Makes a published event with these seats and ticket types. */
export async function event(admin, offer) {
  const body = {
    title: "Sockets", description: "", category: "concert", venue: "Hall", location: "Seoul",
    start_date: "2034-06-15T19:00:00Z", end_date: "2034-06-15T22:00:00Z", status: "published", ...offer,
  };
  const made = await call("POST", "/api/events", { token: admin, body });
  const id = (await call("GET", `/api/v1/events/${made.event_id}`)).event.id;
  return { id, house: made.event_id, types: made.ticket_types.map((type) => type.ticket_type_id) };
}

/** A socket that keeps what it is told until somebody asks for it. */
export class Client {
  static open = new Set();

  constructor({ token, transports = ["websocket"], base = BASE, options = {} } = {}) {
    this.inbox = [];
    this.waiting = [];
    this.socket = io(base, { transports, auth: { token }, forceNew: true, reconnectionDelay: 50, ...options });
    this.socket.onAny((name, data) => this.#take({ name, data }));
    this.socket.on("connect", () => this.#take({ name: "connect" }));
    this.socket.on("connect_error", (error) => this.#take({ name: "connect_error", data: error.message }));
    this.socket.on("disconnect", (reason) => this.#take({ name: "disconnect", data: reason }));
    Client.open.add(this);
  }

  /** A connected socket. */
  static async connected(options) {
    const client = new Client(options);
    await client.next("connect");
    return client;
  }

  static closeAll() {
    for (const client of Client.open) client.socket.disconnect();
  }

  #take(message) {
    const index = this.waiting.findIndex((own) => own.fits(message));
    if (index < 0) this.inbox.push(message);
    else this.waiting.splice(index, 1)[0].resolve(message.data);
  }

  /** The next message of a name (that fits); what came meanwhile stays. */
  next(name, fits = () => true, within = WITHIN) {
    const wanted = (message) => message.name === name && fits(message.data);
    const index = this.inbox.findIndex(wanted);
    if (index >= 0) return Promise.resolve(this.inbox.splice(index, 1)[0].data);
    return new Promise((resolve, reject) => {
      const late = () => reject(new Error(`no ${name} within ${within} ms; came: ${JSON.stringify(this.inbox)}`));
      const timer = setTimeout(late, within);
      this.waiting.push({ fits: wanted, resolve: (data) => (clearTimeout(timer), resolve(data)) });
    });
  }

  /** How often a name came that nobody has asked for. */
  count(name) {
    return this.inbox.filter((message) => message.name === name).length;
  }

  /** Sends, and waits until the server says what became of it. */
  ask(name, ...payload) {
    return this.socket.timeout(WITHIN).emitWithAck(name, ...payload);
  }

  close() {
    this.socket.disconnect();
    Client.open.delete(this);
  }
}

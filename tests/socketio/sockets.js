// Every event of tiketi's sockets, with the official client. Run by tests/tests/sockets.rs.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { Client, call, event, login, person } from "./stage.js";

const { ADMIN_EMAIL, ADMIN_PASSWORD, FOREIGN_TOKEN, JWT_SECRET, OTHER_BASE, BASE } = process.env;
const HEARD = { ok: true };
const tests = [];
const test = (name, run) => tests.push({ name, run });
const seatsOf = async (show) => (await call("GET", `/api/v1/seats/events/${show.id}`)).seats.map((seat) => seat.id);
const reserve = (show, seatIds, token, base) =>
  call("POST", "/api/v1/seats/reserve", { token, body: { eventId: show.id, seatIds }, status: 201, base });

/** A token as another service with the same secret signs it. */
function signed(claims) {
  const text = [{ alg: "HS256", typ: "JWT" }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
  return `${text}.${createHmac("sha256", JWT_SECRET).update(text).digest("base64url")}`;
}

/** A snapshot of an event's seats, put together from its parts. */
async function snapshot(client) {
  const { from, ...whole } = await client.next("seats-snapshot");
  assert.equal(from, 0);
  while (whole.seats.length < whole.total) {
    const part = await client.next("seats-snapshot");
    assert.deepEqual([part.eventId, part.sequence, part.from, part.total], [whole.eventId, whole.sequence, whole.seats.length, whole.total]);
    whole.seats += part.seats;
  }
  return whole;
}

let admin, alice, bob, show;

test("who has no token, or a bad one, is told so", async () => {
  for (const transports of [["websocket"], ["polling"]]) {
    for (const token of [undefined, null, ""]) {
      assert.equal(await new Client({ token, transports }).next("connect_error"), "Authentication required");
    }
    for (const token of ["nonsense", `${alice.token}x`, 5, {}]) {
      assert.equal(await new Client({ token, transports }).next("connect_error"), "Invalid authentication token");
    }
  }
  Client.closeAll();
});

test("both transports connect, and polling becomes a websocket", async () => {
  const polling = await Client.connected({ token: alice.token, transports: ["polling"] });
  assert.deepEqual(await polling.ask("join-event", { eventId: show.id }), HEARD);
  assert.equal((await polling.next("room-info")).userCount, 1);
  const upgraded = new Client({ token: alice.token, transports: ["polling", "websocket"] });
  const upgrade = new Promise((resolve) => upgraded.socket.io.on("open", () => upgraded.socket.io.engine.on("upgrade", resolve)));
  await upgraded.next("connect");
  await upgrade;
  assert.deepEqual(await upgraded.ask("join-event", { eventId: show.id }), HEARD);
  await upgraded.next("room-info", (info) => info.userCount === 2);
});

test("a user of another service is let in", async () => {
  const foreign = await Client.connected({ token: FOREIGN_TOKEN });
  assert.deepEqual(await foreign.ask("join-event", { eventId: show.id }), HEARD);
});

test("a connection ends with its token, and one whose token has no end goes on", async () => {
  const claims = { userId: "0190aaaa-ac96-774b-bcce-b30209900002", email: "visitor@example.com", role: "user" };
  const ending = { ...claims, exp: Math.floor(Date.now() / 1000) + 12 };
  const [endless, ...ends] = await Promise.all([
    Client.connected({ token: signed(claims) }),
    Client.connected({ token: signed(ending) }),
    Client.connected({ token: signed(ending), transports: ["polling"] }),
  ]);
  assert.deepEqual(await ends[0].ask("join-event", { eventId: show.id }), HEARD);
  for (const client of ends) assert.equal(await client.next("disconnect", undefined, 40_000), "io server disconnect");
  assert.deepEqual(await endless.ask("join-event", { eventId: show.id }), HEARD);
  await endless.next("room-info", (info) => info.userCount === 1);
  const late = new Client({ token: signed(ending) });
  assert.equal(await late.next("connect_error"), "Invalid authentication token");
});

test("one person has twenty connections, and others have theirs", async () => {
  const { token } = await person("crowd");
  // Whether it is let in: nobody who is told no tries again by itself.
  const outcome = (client) =>
    new Promise((resolve) => {
      client.socket.once("connect", () => resolve("let in"));
      client.socket.once("connect_error", (error) => resolve(error.message));
    });
  const twenty = await Promise.all(Array.from({ length: 20 }, () => Client.connected({ token })));
  assert.equal(await outcome(new Client({ token })), "Too many connections");
  assert.equal(await outcome(new Client({ token: bob.token })), "let in");
  twenty.pop().close();
  let last;
  for (let tries = 0; tries < 100 && last !== "let in"; tries += 1) {
    last = await outcome(new Client({ token }));
    // The server may not have seen yet that a place is free.
    if (last !== "let in") await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.equal(last, "let in");
});

test("the room is told who comes and who goes, disconnects included", async () => {
  const [one, two] = [await Client.connected({ token: alice.token }), await Client.connected({ token: bob.token })];
  await one.ask("join-event", { eventId: show.id });
  assert.deepEqual(await one.next("room-info"), { eventId: show.id, userCount: 1 });
  await two.ask("join-event", { eventId: show.house });
  assert.deepEqual(await one.next("room-info"), { eventId: show.id, userCount: 2 });
  assert.deepEqual(await two.next("room-info"), { eventId: show.id, userCount: 2 });
  await two.ask("leave-event", { eventId: show.id });
  assert.equal((await one.next("room-info")).userCount, 1);
  await two.ask("join-event", { eventId: show.id });
  assert.equal((await one.next("room-info")).userCount, 2);
  two.close();
  assert.equal((await one.next("room-info")).userCount, 1);
});

test("a message without a payload, or with a wrong one, is ignored, and an ack says why", async () => {
  const names = [
    "join-event", "leave-event", "join-queue", "leave-queue", "join-seat-selection", "seat-selection-changed",
  ];
  const payloads = [
    [], [null], [5], ["text"], [[]], [{}], [{ eventId: null }], [{ eventId: 7 }], [{ eventId: {} }], [{ eventId: "x" }],
    [{ eventId: "01890a5d-ac96-774b-bcce-b302099a8057" }], [show.id], [{ eventId: "\u0000" }], [Buffer.from("x")],
    [{ eventId: show.id.repeat(500) }],
  ];
  for (const name of names) {
    const client = await Client.connected({ token: alice.token });
    for (const payload of payloads) {
      client.socket.emit(name, ...payload);
      const heard = await client.ask(name, ...payload);
      assert.equal(heard.ok, false, `${name} ${JSON.stringify(payload)}`);
      assert.equal(typeof heard.error, "string");
    }
    assert.ok(client.socket.connected);
  }
  const client = await Client.connected({ token: alice.token });
  client.socket.emit("no-such-event", { eventId: show.id });
  client.socket.emit("join-event", () => "a function is no payload");
  assert.deepEqual(await client.ask("join-event", { eventId: show.id, more: [1] }, "and more"), HEARD);
});

test("who talks too fast is not heard", async () => {
  const client = await Client.connected({ token: alice.token });
  const heard = await Promise.all(Array.from({ length: 200 }, () => client.ask("join-event", { eventId: show.id })));
  assert.ok(heard.some((own) => own.ok) && heard.some((own) => own.error === "too many messages"));
  assert.ok(client.socket.connected);
});

test("messages are done in the order they were sent", async () => {
  const client = await Client.connected({ token: alice.token });
  for (let round = 0; round < 10; round += 1) {
    client.socket.emit("join-event", { eventId: show.id });
    client.socket.emit("leave-event", { eventId: show.id });
  }
  await client.ask("join-event", { eventId: show.id });
  await client.next("room-info", (info) => info.userCount === 1);
});

test("seats are told as they are held, freed and sold, each once, in sequence, through any dialect", async () => {
  const hall = await event(admin, { seating: { sections: [{ name: "A", rows: 1, seats_per_row: 6, price: 1000 }] } });
  const seats = await seatsOf(hall);
  const early = await Client.connected({ token: bob.token });
  await early.ask("join-seat-selection", { eventId: hall.id });
  await reserve(hall, [seats[5]], bob.token);
  // Several servers tell a moment later what was held: a snapshot may have what is told after it.
  await early.next("seat-locked");
  const [one, two] = [await Client.connected({ token: alice.token }), await Client.connected({ token: bob.token, transports: ["polling"] })];
  for (const client of [one, two]) {
    assert.deepEqual(await client.ask("join-seat-selection", { eventId: hall.id }), HEARD);
    assert.deepEqual(await snapshot(client), { eventId: hall.id, sequence: 1, total: 6, seats: "aaaaal" });
  }
  const { reservation } = await reserve(hall, [seats[0], seats[1]], alice.token);
  for (const client of [one, two]) {
    for (const [index, sequence] of [[0, 2], [1, 3]]) {
      const { timestamp, ...locked } = await client.next("seat-locked");
      assert.match(timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      assert.deepEqual(locked, { seatId: seats[index], userId: alice.id, status: "locked", eventId: hall.id, sequence });
    }
  }
  await call("POST", `/api/v1/reservations/${reservation.id}/cancel`, { token: alice.token });
  const released = [await one.next("seat-released"), await one.next("seat-released")];
  assert.deepEqual(released.map((own) => [own.seatId, own.status, own.sequence, own.userId]), [[seats[0], "available", 4, undefined], [seats[1], "available", 5, undefined]]);

  // Through the house, and paid there.
  const booking = await call("POST", "/api/bookings", { token: bob.token, body: { event_id: hall.house, seat_ids: ["A-1-3"] } });
  const locked = await one.next("seat-locked");
  assert.deepEqual([locked.seatId, locked.userId, locked.sequence], [seats[2], bob.id, 6]);
  await call("POST", "/api/v1/payments/process", { token: bob.token, body: { reservationId: booking.booking_id, paymentMethod: "card" } });
  const sold = await one.next("seat-sold");
  assert.deepEqual([sold.seatId, sold.status, sold.sequence], [seats[2], "reserved", 7]);

  // A reconnect gets a snapshot of it all.
  const again = await Client.connected({ token: alice.token });
  await again.ask("join-seat-selection", { eventId: hall.house });
  assert.deepEqual(await snapshot(again), { eventId: hall.id, sequence: 7, total: 6, seats: "aaraal" });
  assert.equal(one.count("seat-locked") + one.count("seat-released") + one.count("seat-sold"), 0);
});

test("a snapshot of a large hall comes in parts, in the order of the list of seats", async () => {
  const sections = ["10", "B", "2"].map((name) => ({ name, rows: 50, seats_per_row: 50, price: 1000 }));
  const hall = await event(admin, { seating: { sections } });
  const seats = await seatsOf(hall);
  await reserve(hall, [seats[0], seats[1999], seats[2000], seats[7499]], bob.token);
  const sold = await reserve(hall, [seats[2600]], alice.token);
  await call("POST", "/api/v1/payments/process", { token: alice.token, body: { reservationId: sold.reservation.id, paymentMethod: "card" } });
  const client = await Client.connected({ token: alice.token });
  await client.ask("join-seat-selection", { eventId: hall.id });
  const whole = await snapshot(client);
  const listed = (await call("GET", `/api/v1/seats/events/${hall.id}`)).seats.map((seat) => seat.status[0]).join("");
  assert.equal(whole.seats, listed);
  assert.equal(listed.replaceAll("a", "").length, 5);
});

test("who joins again and again gets no more snapshots than can have been read, and the last one later", async () => {
  const client = await Client.connected({ token: alice.token });
  for (let round = 0; round < 20; round += 1) {
    assert.deepEqual(await client.ask("join-seat-selection", { eventId: show.id }), HEARD);
  }
  assert.equal(client.count("seats-snapshot"), 8);
  for (let number = 0; number < 9; number += 1) await client.next("seats-snapshot");
});

test("a lapse is told", async () => {
  const hall = await event(admin, { seating: { sections: [{ name: "A", rows: 1, seats_per_row: 1, price: 1000 }] } });
  const [seat] = await seatsOf(hall);
  const client = await Client.connected({ token: alice.token });
  await client.ask("join-seat-selection", { eventId: hall.id });
  // The house's holds are short here.
  await call("POST", "/api/bookings", { token: bob.token, body: { event_id: hall.house, seat_ids: ["A-1-1"] } });
  await client.next("seat-locked");
  assert.equal((await client.next("seat-released")).seatId, seat);
});

test("a connection that breaks comes back by itself and gets a snapshot", async () => {
  const client = await Client.connected({ token: alice.token });
  client.socket.on("connect", () => client.socket.emit("join-seat-selection", { eventId: show.id }));
  client.socket.io.engine.close();
  await client.next("disconnect");
  await client.next("connect");
  assert.equal((await client.next("seats-snapshot")).eventId, show.id);
});

test("what somebody has its eyes on is told to the others there, and to nobody else", async () => {
  const seats = await seatsOf(show);
  const [one, two, other] = await Promise.all([alice, bob, bob].map(({ token }) => Client.connected({ token })));
  await two.ask("join-seat-selection", { eventId: show.id });
  await other.ask("join-event", { eventId: show.id });
  const early = { eventId: show.id, seats: seats.slice(1, 3) };
  assert.deepEqual(await one.ask("seat-selection-changed", early), HEARD, "whoever chooses need not look on");
  assert.deepEqual(await two.next("seat-update"), { userId: alice.id, seats: seats.slice(1, 3), eventId: show.id });
  await one.ask("join-seat-selection", { eventId: show.id });
  assert.deepEqual(await one.ask("seat-selection-changed", { eventId: show.id, seats: seats.slice(0, 2) }), HEARD);
  assert.deepEqual(await two.next("seat-update"), { userId: alice.id, seats: seats.slice(0, 2), eventId: show.id });
  for (const wrong of [undefined, null, "x", [5], Array(21).fill("x"), ["x".repeat(101)]]) {
    assert.equal((await one.ask("seat-selection-changed", { eventId: show.id, seats: wrong })).ok, false);
  }
  await two.ask("seat-selection-changed", { eventId: show.id, seats: [] });
  assert.deepEqual((await one.next("seat-update")).seats, []);
  assert.equal(one.count("seat-update") + two.count("seat-update") + other.count("seat-update"), 0);
});

test("stock that moves is told to those who look at the event", async () => {
  const gig = await event(admin, { ticket_types: [{ name: "일반", price: 1000, quantity: 10 }] });
  const [type] = (await call("GET", `/api/v1/tickets/event/${gig.id}`)).ticketTypes;
  const client = await Client.connected({ token: alice.token });
  await client.ask("join-event", { eventId: gig.id });
  const body = { eventId: gig.id, items: [{ ticketTypeId: type.id, quantity: 3 }] };
  const { reservation } = await call("POST", "/api/v1/reservations", { token: bob.token, body, status: 201 });
  const { timestamp, ...told } = await client.next("ticket-updated");
  assert.ok(timestamp);
  assert.deepEqual(told, { ticketTypeId: type.id, availableQuantity: 7, totalQuantity: 10, eventId: gig.id });
  await call("POST", `/api/v1/reservations/${reservation.id}/cancel`, { token: bob.token });
  await client.next("ticket-updated", (own) => own.availableQuantity === 10);
});

test("a queue tells its numbers, and who gets in is told alone", async () => {
  const gig = await event(admin, {
    waiting_room: { capacity: 1, pass_seconds: 300 },
    ticket_types: [{ name: "일반", price: 1000, quantity: 10 }],
  });
  const check = (who) => call("POST", `/api/v1/queue/check/${gig.id}`, { token: who.token });
  const [one, two, two2] = await Promise.all([alice, bob, bob].map(({ token }) => Client.connected({ token })));
  for (const client of [one, two]) assert.deepEqual(await client.ask("join-queue", { eventId: gig.id }), HEARD);
  assert.equal((await call("GET", `/api/v1/queue/status/${gig.id}`, { token: bob.token })).status, "not_in_queue");
  assert.deepEqual(await check(alice), { queued: false, threshold: 1, currentUsers: 1 });
  const allowed = { eventId: gig.id, userId: alice.id, message: "입장이 허용되었습니다." };
  assert.deepEqual(await one.next("queue-entry-allowed"), allowed);
  assert.deepEqual(await check(bob), { queued: true, position: 1, estimatedWait: 1, threshold: 1, currentUsers: 1 });
  const { timestamp, ...told } = await two.next("queue-updated", (own) => own.queueSize === 1);
  assert.ok(timestamp);
  assert.deepEqual(told, { eventId: gig.id, queueSize: 1, currentUsers: 1, threshold: 1 });
  await call("POST", `/api/v1/queue/leave/${gig.id}`, { token: alice.token });
  for (const client of [two, two2]) {
    assert.deepEqual(await client.next("queue-entry-allowed"), { ...allowed, userId: bob.id });
  }
  await two.next("queue-updated", (own) => own.queueSize === 0 && own.currentUsers === 1);
  await one.next("queue-updated", (own) => own.queueSize === 0);
  assert.equal(one.count("queue-entry-allowed"), 0, "nobody else is told");
  assert.equal(two2.count("queue-updated"), 0, "only the queue's room is told its numbers");
  await two.ask("leave-queue", { eventId: gig.id });
});

if (OTHER_BASE) {
  test("rooms are told what happens at another server", async () => {
    const hall = await event(admin, { seating: { sections: [{ name: "A", rows: 1, seats_per_row: 2, price: 1000 }] } });
    const seats = await seatsOf(hall);
    const here = await Client.connected({ token: alice.token });
    await here.ask("join-seat-selection", { eventId: hall.id });
    await here.next("seats-snapshot");
    await reserve(hall, [seats[1]], bob.token, OTHER_BASE);
    assert.equal((await here.next("seat-locked")).seatId, seats[1]);
    const there = await Client.connected({ token: bob.token, base: OTHER_BASE });
    await there.ask("join-seat-selection", { eventId: hall.id });
    assert.equal((await snapshot(there)).seats, "al");
  });

  test("a room has those in it that are at another server", async () => {
    const hall = await event(admin, { seating: { sections: [{ name: "A", rows: 1, seats_per_row: 2, price: 1000 }] } });
    const [here, there] = [await Client.connected({ token: alice.token }), await Client.connected({ token: bob.token, base: OTHER_BASE })];
    await here.ask("join-event", { eventId: hall.id });
    await here.next("room-info", (info) => info.userCount === 1);
    await there.ask("join-event", { eventId: hall.id });
    await here.next("room-info", (info) => info.userCount === 2);
    await there.next("room-info", (info) => info.userCount === 2);
    for (const client of [here, there]) await client.ask("join-seat-selection", { eventId: hall.id });
    const seats = (await seatsOf(hall)).slice(0, 1);
    await here.ask("seat-selection-changed", { eventId: hall.id, seats });
    assert.deepEqual(await there.next("seat-update"), { userId: alice.id, seats, eventId: hall.id });
    assert.equal(here.count("seat-update"), 0, "who has said it is not told");
    there.close();
    await here.next("room-info", (info) => info.userCount === 1);
  });
}

admin = await login(ADMIN_EMAIL, ADMIN_PASSWORD);
[alice, bob] = [await person("alice"), await person("bob")];
show = await event(admin, { seating: { sections: [{ name: "A", rows: 2, seats_per_row: 5, price: 150000 }] } });
let failed = 0;
for (const { name, run } of tests) {
  try {
    await run();
    console.log(`ok      ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}\n${error.stack}`);
  } finally {
    Client.closeAll();
    Client.open.clear();
  }
}
console.log(`${tests.length - failed} of ${tests.length} passed against ${BASE}`);
process.exit(failed ? 1 : 0);

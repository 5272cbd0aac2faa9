//! Sends the steps of a file and tells what came back differently.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::matching::{differences, is_like};
use super::script::{Script, Sign, Step, Token};
use super::values::Values;
use crate::client::{Answer, Client, Login, read};
use crate::forge;
use crate::server::{JWT_SECRET, Server, WEBHOOK_SECRET, check};
use crate::store::Store;

/// Runs a file on a fresh server, whose store has to be in order afterwards.
///
/// # Panics
/// With everything that was not as expected.
pub async fn run(path: &Path) {
    let script = Script::read(path);
    let store = Store::fresh().await;
    let settings: Vec<(&str, &str)> = script.settings.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let server = Server::start_with(&store, &settings).await;
    let mut stage = Stage::new(server.client().clone(), &script).await;
    let mut failures = Vec::new();
    for step in &script.step {
        failures.extend(stage.play(step).await);
    }
    if let Err(report) = check(&store) {
        failures.push(format!("the store is not in order afterwards:\n{report}"));
    }
    let failed = failures.len();
    assert!(failures.is_empty(), "{failed} of {}:\n\n{}", script.step.len(), failures.join("\n\n"));
}

struct Stage {
    client: Client,
    dialect: String,
    people: BTreeMap<String, Login>,
    values: Values,
}

impl Stage {
    async fn new(client: Client, script: &Script) -> Self {
        let mut people = BTreeMap::from([("admin".to_owned(), client.admin().await)]);
        for name in &script.people {
            people.insert(name.clone(), client.register(name).await);
        }
        let mut values = Values::default();
        for (name, login) in &people {
            values.keep(&format!("{name}.id"), login.user.clone().into());
            values.keep(&format!("{name}.token"), login.token.clone().into());
            values.keep(&format!("{name}.refresh"), login.refresh.clone().into());
        }
        Self { client, dialect: script.dialect.clone(), people, values }
    }

    /// Plays a step; tells the first answer that was not as expected.
    async fn play(&mut self, step: &Step) -> Option<String> {
        for _ in 0..step.times.unwrap_or(1) {
            let mut patience = if step.eventually { 100 } else { 0 };
            loop {
                let Some(answer) = self.send(step).await else { return Some(format!("{}: no answer", step.name)) };
                let wrong = self.judge(step, &answer);
                if wrong.is_empty() {
                    self.save(step, &answer);
                    break;
                }
                if patience == 0 {
                    return Some(report(step, &answer, &wrong));
                }
                patience -= 1;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        None
    }

    async fn send(&self, step: &Step) -> Option<Answer> {
        let (method, path) = step.request.split_once(' ').expect("a request is a method and a path");
        let mut request = self.client.request(method, &self.values.fill(path));
        if let Some(token) = self.token(step) {
            request = request.bearer_auth(token);
        }
        let body = self.body(step);
        if let Some(body) = &body {
            if !step.headers.contains_key("content-type") {
                request = request.header("content-type", "application/json");
            }
            request = request.body(body.clone());
        }
        if let Some(sign) = &step.sign {
            request = request.header("stripe-signature", signature(sign, &body.unwrap_or_default()));
        }
        for (name, value) in &step.headers {
            request = request.header(name, self.values.fill(value));
        }
        read(request).await
    }

    fn token(&self, step: &Step) -> Option<String> {
        let name = step.sender.as_ref()?;
        let login = self.people.get(name).unwrap_or_else(|| panic!("nobody is called {name}"));
        Some(step.token.as_ref().map_or_else(|| login.token.clone(), |how| doctored(&login.token, how)))
    }

    fn body(&self, step: &Step) -> Option<String> {
        let sized = |bytes: usize| format!("{{\"pad\":\"{}\"}}", "x".repeat(bytes.saturating_sub(10)));
        let raw = step.raw.as_ref().map(|raw| self.values.fill(raw));
        raw.or_else(|| step.json.as_ref().map(|body| self.values.json(body).to_string()))
            .or_else(|| step.bytes.map(sized))
    }

    fn judge(&self, step: &Step, answer: &Answer) -> Vec<String> {
        let mut wrong = Vec::new();
        if !step.status.allow(answer.status) {
            wrong.push(format!("status: expected {:?}, got {}", step.status, answer.status));
        }
        let body: Option<Value> = serde_json::from_slice(&answer.bytes).ok();
        if answer.status >= 400 && !step.request.starts_with("HEAD ") {
            wrong.extend(differences(&self.envelope(step, answer.status), body.as_ref()));
        }
        if let Some(expected) = &step.body {
            wrong.extend(differences(&self.expectation(expected), body.as_ref()));
        }
        if let Some(pattern) = &step.text
            && !is_like(pattern, &String::from_utf8_lossy(&answer.bytes))
        {
            wrong.push(format!("the body is not like {pattern}"));
        }
        for (name, pattern) in &step.reply_headers {
            let value = answer.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
            if !is_like(&self.values.fill(pattern), value) {
                wrong.push(format!("header {name}: expected one like {pattern}, got {value:?}"));
            }
        }
        wrong
    }

    /// What every error of a dialect has to look like.
    fn envelope(&self, step: &Step, status: u16) -> Value {
        let path = self.values.fill(step.request.split_once(' ').map_or("", |(_, path)| path));
        let path = path.split('?').next().unwrap_or_default();
        let code = step.error.clone().unwrap_or("$regex:^[A-Z_]+$".to_owned());
        let text = step.error.clone().unwrap_or("$string".to_owned());
        match step.dialect.as_ref().unwrap_or(&self.dialect).as_str() {
            "sail" => json!({"statusCode": status, "message": "$string", "error": text}),
            "concert" => json!({"error": text}),
            "tiketi" => json!({"success": false, "error": "$string", "message": "$string", "code": code}),
            "movie" if status == 400 => {
                json!({"detail": {"$contains": {"loc": {"$contains": "$any"}, "msg": "$string", "type": text}}})
            }
            "movie" => json!({"detail": text}),
            _ => json!({"error": {"code": code, "message": "$string"}, "timestamp": "$time", "path": path}),
        }
    }

    /// Like a request's body, except that `$null` and its like stay for the comparison.
    fn expectation(&self, expected: &toml::Value) -> Value {
        match expected {
            toml::Value::String(text) if text.starts_with('$') && !text.starts_with("${") => {
                self.values.fill(text).into()
            }
            toml::Value::Array(list) => list.iter().map(|item| self.expectation(item)).collect(),
            toml::Value::Table(table) => {
                table.iter().map(|(name, value)| (name.clone(), self.expectation(value))).collect()
            }
            other => self.values.json(other),
        }
    }

    fn save(&mut self, step: &Step, answer: &Answer) {
        for (name, source) in &step.save {
            let value = match source.strip_prefix("header:") {
                Some(header) => answer.headers.get(header).and_then(|value| value.to_str().ok()).map(Value::from),
                None if source == "qr" => read_qr(&answer.bytes).map(Value::from),
                None => answer.json().pointer(source).cloned(),
            };
            let value = value.unwrap_or_else(|| panic!("{}: the answer has no {source}", step.name));
            self.values.keep(name, value);
        }
    }
}

fn report(step: &Step, answer: &Answer, wrong: &[String]) -> String {
    let body: String = String::from_utf8_lossy(&answer.bytes).chars().take(1_000).collect();
    let lines = wrong.join("\n    ");
    format!("* {} ({})\n    {lines}\n    answered {} {body}", step.name, step.request, answer.status)
}

fn signature(sign: &Sign, body: &str) -> String {
    let secret = sign.secret.as_deref().unwrap_or(WEBHOOK_SECRET);
    let signed = sign.over.as_deref().unwrap_or(body);
    forge::stripe_signature(secret, forge::unix_time() + sign.offset, signed.as_bytes())
}

/// A token made of a true one's claims.
fn doctored(token: &str, how: &Token) -> String {
    let mut claims = forge::claims(token);
    if let Some(seconds) = how.expires_in {
        claims["exp"] = (forge::unix_time() + seconds).into();
    }
    for (name, value) in &how.claims {
        claims[name.as_str()] = Values::default().json(value);
    }
    let alg = how.alg.as_deref().unwrap_or("HS256");
    let forged = forge::token(alg, how.key.as_deref().unwrap_or(JWT_SECRET), &claims);
    if !how.keep_signature {
        return forged;
    }
    let (signed, _) = forged.rsplit_once('.').expect("a token has three parts");
    let (_, signature) = token.rsplit_once('.').expect("a token has three parts");
    format!("{signed}.{signature}")
}

/// What the QR code in a PNG says.
fn read_qr(image: &[u8]) -> Option<String> {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(image));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().ok()?;
    let mut pixels = vec![0; reader.output_buffer_size()?];
    let frame = reader.next_frame(&mut pixels).ok()?;
    let (width, height) = (frame.width as usize, frame.height as usize);
    let samples = frame.color_type.samples();
    let light = |x: usize, y: usize| pixels[y * frame.line_size + x * samples];
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, light);
    let (_, text) = image.detect_grids().first()?.decode().ok()?;
    Some(text)
}

//! The OpenAPI document of the dialects that are on, and the pages that show it.

use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa_swagger_ui::SwaggerUi;

use crate::dialects::Dialect;

/// Where a document keeps the shapes that its paths refer to.
const SCHEMAS: &str = "#/components/schemas/";

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "maepyo",
        description = "매표: one ticketing server. Events, seat maps, holds, payments and tickets.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    modifiers(&Bearer)
)]
struct Base;

struct Bearer;

impl utoipa::Modify for Bearer {
    fn modify(&self, openapi: &mut OpenApi) {
        let mut http = Http::new(HttpAuthScheme::Bearer);
        http.bearer_format = Some("JWT".to_owned());
        openapi.components.get_or_insert_default().add_security_scheme("bearer", SecurityScheme::Http(http));
    }
}

/// The OpenAPI document of these dialects: a tag each, so that they stand apart in it.
#[must_use]
pub fn openapi(dialects: &[Dialect]) -> Value {
    let mut all = value(&<Base as utoipa::OpenApi>::openapi());
    let tag = |dialect: &Dialect| json!({"name": dialect.word(), "description": dialect.description()});
    all["tags"] = dialects.iter().map(tag).collect();
    for dialect in dialects {
        let own = named_apart(value(&dialect.openapi()), *dialect);
        for place in ["/paths", "/components/schemas", "/components/securitySchemes"] {
            if let Some(Value::Object(entries)) = own.pointer(place) {
                extend(&mut all, place, entries);
            }
        }
    }
    all
}

/// Swagger UI at `/docs` and the document at `/openapi.json`; nothing is fetched from elsewhere.
pub fn pages(dialects: &[Dialect]) -> SwaggerUi {
    SwaggerUi::new("/docs").external_url_unchecked("/openapi.json", openapi(dialects))
}

fn value(openapi: &OpenApi) -> Value {
    serde_json::to_value(openapi).expect("a description is made of texts, numbers and lists")
}

fn extend(all: &mut Value, place: &str, entries: &Map<String, Value>) {
    let mut at = all;
    for name in place.split('/').skip(1) {
        at = &mut at[name];
    }
    for (name, entry) in entries {
        at[name.as_str()] = entry.clone();
    }
}

/// A dialect's document with names that no other one has: dialects call different things by the same name. The house
/// dialect's are plain. This is the one place that says which dialect's a thing is: handlers and shapes do not.
fn named_apart(mut document: Value, dialect: Dialect) -> Value {
    let (word, shape) = match dialect {
        Dialect::TicketingPro => (String::new(), String::new()),
        other => (format!("{}_", other.word()), capitalized(other.word())),
    };
    if let Some(schemas) = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut) {
        *schemas = std::mem::take(schemas).into_iter().map(|(name, own)| (shape.clone() + &name, own)).collect();
    }
    for operation in operations(&mut document) {
        operation["tags"] = json!([dialect.word()]);
        if let Some(Value::String(id)) = operation.get_mut("operationId") {
            id.insert_str(0, &word);
        }
    }
    rename_references(&mut document, &shape);
    document
}

fn capitalized(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    first.to_uppercase() + rest
}

/// The operations of a document. A path has other things too, such as parameters of all its operations.
fn operations(document: &mut Value) -> impl Iterator<Item = &mut Value> {
    const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];
    let paths = document.get_mut("paths").and_then(Value::as_object_mut);
    let items = paths.into_iter().flat_map(Map::values_mut).filter_map(Value::as_object_mut);
    items.flat_map(|item| item.iter_mut().filter(|(name, _)| METHODS.contains(&name.as_str())).map(|(_, own)| own))
}

fn rename_references(value: &mut Value, shape: &str) {
    match value {
        Value::String(text) => {
            if let Some(name) = text.strip_prefix(SCHEMAS) {
                *text = format!("{SCHEMAS}{shape}{name}");
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|own| rename_references(own, shape)),
        Value::Object(entries) => entries.values_mut().for_each(|own| rename_references(own, shape)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Every text under a name, anywhere.
    fn texts(value: &Value, name: &str, found: &mut Vec<String>) {
        match value {
            Value::Array(items) => items.iter().for_each(|own| texts(own, name, found)),
            Value::Object(entries) => {
                found.extend(entries.get(name).and_then(Value::as_str).map(str::to_owned));
                entries.values().for_each(|own| texts(own, name, found));
            }
            _ => {}
        }
    }

    #[test]
    fn every_operation_has_a_tag_an_id_of_its_own_and_described_answers() {
        let mut document = openapi(&Dialect::ALL);
        let words: Vec<&str> = Dialect::ALL.map(Dialect::word).to_vec();
        let mut ids = BTreeSet::new();
        for operation in operations(&mut document) {
            let id = operation["operationId"].as_str().expect("it has an id").to_owned();
            assert!(ids.insert(id.clone()), "two operations are called {id}");
            assert!(words.contains(&operation["tags"][0].as_str().unwrap_or_default()), "{id} has no tag");
            let answers = operation["responses"].as_object().expect("it has answers");
            assert!(!answers.is_empty(), "{id} has no answers");
            for (status, answer) in answers {
                let text = answer["description"].as_str().unwrap_or_default();
                assert!(!text.trim().is_empty(), "the {status} of {id} is not described");
            }
        }
        assert!(ids.len() > 20, "{ids:?}");
        assert_eq!(document["info"]["license"]["identifier"], "Apache-2.0");
        assert_eq!(document["tags"].as_array().map(Vec::len), Some(5));
    }

    #[test]
    fn names_tell_their_dialect_once() {
        let twice = |name: &str, word: &str| name.to_lowercase().matches(word).count() > 1;
        for dialect in Dialect::ALL {
            let mut document = openapi(&[dialect]);
            let schemas = document["components"]["schemas"].as_object().expect("shapes");
            assert!(!schemas.is_empty());
            for name in schemas.keys() {
                assert!(!twice(name, dialect.word()), "{name}");
                assert!(!name.contains('.') && !name.contains("::"), "{name}");
            }
            for operation in operations(&mut document) {
                let id = operation["operationId"].as_str().expect("it has an id");
                assert!(!twice(id, dialect.word()), "{id}");
            }
        }
    }

    #[test]
    fn every_reference_leads_to_a_shape_that_is_there() {
        let document = openapi(&Dialect::ALL);
        let schemas = document["components"]["schemas"].as_object().expect("shapes");
        let mut references = Vec::new();
        texts(&document, "$ref", &mut references);
        assert!(references.len() > 20);
        for reference in references {
            let name = reference.strip_prefix(SCHEMAS).expect(&reference);
            assert!(schemas.contains_key(name), "{reference}");
        }
    }

    #[test]
    fn a_dialect_that_is_off_is_not_described() {
        let document = openapi(&[Dialect::Movie]);
        let paths =
            |document: &Value| document["paths"].as_object().map(|own| own.keys().cloned().collect::<BTreeSet<_>>());
        let (movie, house) = (paths(&document), paths(&openapi(&[Dialect::TicketingPro])).expect("paths"));
        assert!(movie.is_none_or(|movie| movie.is_disjoint(&house)));
        assert!(document["components"]["schemas"].get("ErrorEnvelope").is_none());
    }

    #[test]
    fn shapes_of_one_name_are_told_apart() {
        let one = json!({
            "paths": {"/x": {"parameters": [], "get": {"operationId": "list", "tags": ["x"], "responses": {
                "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Event"}}}}}}}},
            "components": {"schemas": {"Event": {"properties": {"next": {"$ref": "#/components/schemas/Event"}}},
                                       "Seat": {"type": "object"}}},
        });
        let renamed = named_apart(one.clone(), Dialect::Sail);
        let schemas = &renamed["components"]["schemas"];
        assert_eq!(schemas["SailEvent"]["properties"]["next"]["$ref"], "#/components/schemas/SailEvent");
        assert!(schemas.get("SailSeat").is_some() && schemas.get("Event").is_none());
        let get = &renamed["paths"]["/x"]["get"];
        assert_eq!((&get["operationId"], &get["tags"]), (&json!("sail_list"), &json!(["sail"])));
        assert_eq!(named_apart(one, Dialect::TicketingPro)["paths"]["/x"]["get"]["operationId"], "list");
    }
}

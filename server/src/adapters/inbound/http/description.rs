//! The description of the interface (OpenAPI 3.1), made from the routes and their structures, and
//! the page that shows it. Both are in the program; nothing comes from elsewhere.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi as _};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const PAGE: &str = include_str!("page/page.html");
const SCRIPT: &str = include_str!("page/page.js");
const STYLE: &str = include_str!("page/page.css");

const STATUS_PAGE: &str = include_str!("page/status.html");
const STATUS_SCRIPT: &str = include_str!("page/status.js");
const STATUS_STYLE: &str = include_str!("page/status.css");

/// The page takes its parts and what it shows from this relay, and shows in no frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Susurro relay",
        description = "Requests and answers of a blind relay. The protocol document, section 15, is normative: it says what \
            the structures mean, what a client must do on each error, and what goes over the WebSocket.\n\n\
            Bodies are JSON in UTF-8. Members that a side does not know are ignored. Times are milliseconds since 1970 \
            unless a member says seconds.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    tags(
        (name = "relay", description = "The relay about itself."),
        (name = "accounts", description = "Registration, login and tokens. Counted by address."),
        (name = "people", description = "Profiles and device lists."),
        (name = "keys", description = "Prekeys."),
        (name = "administration", description = "For accounts with the role `admin`, which is looked up at each request."),
        (name = "chats", description = "Chats, and messages without a WebSocket."),
    ),
    components(schemas(susurro_protocol::rest::Problem)),
    modifiers(&Schemes),
)]
struct Description;

struct Schemes;

impl Modify for Schemes {
    fn modify(&self, description: &mut OpenApi) {
        let components = description.components.get_or_insert_default();
        let header = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("The access token of register, login or refresh; opaque to clients."))
            .build();
        components.add_security_scheme("token", SecurityScheme::Http(header));
        let query = ApiKeyValue::with_description(
            "token",
            "The same token, where a client of the WebSocket can set no header.",
        );
        components.add_security_scheme("query", SecurityScheme::ApiKey(ApiKey::Query(query)));
    }
}

/// What routes are added to.
pub(super) fn begun<S: Clone + Send + Sync + 'static>() -> OpenApiRouter<S> {
    OpenApiRouter::with_openapi(Description::openapi())
}

/// The text of the description, once all routes are known.
type Text = Arc<OnceLock<Bytes>>;

/// Adds the description of all routes, these here included, and the page.
pub(super) fn served(router: OpenApiRouter) -> Router {
    let text = Text::default();
    let own = OpenApiRouter::new()
        .routes(routes!(openapi))
        .routes(routes!(page))
        .routes(routes!(status_page))
        .with_state(text.clone());
    let (router, description) = router.merge(own).split_for_parts();
    let _ = text.set(written(&description));
    router
        .route("/docs/page.js", get(|| async { file("text/javascript; charset=utf-8", SCRIPT) }))
        .route("/admin/page.js", get(|| async { file("text/javascript; charset=utf-8", STATUS_SCRIPT) }))
        .route("/admin/page.css", get(|| async { file("text/css; charset=utf-8", STATUS_STYLE) }))
        .route("/docs/page.css", get(|| async { file("text/css; charset=utf-8", STYLE) }))
}

/// This description.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "relay",
    responses((status = 200, description = "OpenAPI 3.1.", content_type = "application/json", body = Object))
)]
async fn openapi(State(text): State<Text>) -> Response {
    let body = text.get().cloned().unwrap_or_default();
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response()
}

/// A page that shows this description.
#[utoipa::path(
    get,
    path = "/docs",
    tag = "relay",
    responses((status = 200, description = "HTML.", content_type = "text/html; charset=utf-8", body = String))
)]
async fn page() -> Response {
    shown(PAGE)
}

/// A page for administrators that shows `/admin/status`. It holds nothing by itself: whoever opens it
/// gives it an access token, which it keeps in memory.
#[utoipa::path(
    get,
    path = "/admin",
    tag = "administration",
    responses((status = 200, description = "HTML.", content_type = "text/html; charset=utf-8", body = String))
)]
async fn status_page() -> Response {
    shown(STATUS_PAGE)
}

fn shown(page: &'static str) -> Response {
    let mut response = file("text/html; charset=utf-8", page);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

fn file(kind: &'static str, content: &'static str) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], content).into_response()
}

/// The description as JSON, with what the structures cannot say of themselves.
fn written(description: &OpenApi) -> Bytes {
    let mut value = serde_json::to_value(description).unwrap_or_default();
    refine(&mut value);
    headers(&mut value);
    share(&mut value);
    let mut text = serde_json::to_vec_pretty(&value).unwrap_or_default();
    text.push(b'\n');
    text.into()
}

/// Every number of the protocol is unsigned, and descriptions that were written for the code's
/// own documentation lose its links.
fn refine(value: &mut Value) {
    match value {
        Value::Object(members) => {
            let bits = members.get("format").and_then(Value::as_str).and_then(|format| format.strip_prefix("int"));
            if let Some(max) = bits.and_then(|bits| match bits {
                "32" => Some(u64::from(u32::MAX)),
                "64" => Some(u64::MAX),
                _ => None,
            }) {
                let format = if max == u64::MAX { "uint64" } else { "uint32" };
                members.insert("format".to_owned(), format.into());
                members.entry("maximum").or_insert(max.into());
            }
            for key in ["description", "summary"] {
                if let Some(Value::String(text)) = members.get_mut(key) {
                    *text = without_links(text);
                }
            }
            members.values_mut().for_each(refine);
        }
        Value::Array(items) => items.iter_mut().for_each(refine),
        _ => {}
    }
}

/// [`name`] and [`name`](path) as `name`.
fn without_links(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, link)) = rest.split_once("[`") {
        kept.push_str(before);
        let Some((name, after)) = link.split_once("`]") else {
            kept.push_str("[`");
            rest = link;
            continue;
        };
        kept.push('`');
        kept.push_str(name);
        kept.push('`');
        rest = match after.strip_prefix('(').and_then(|target| target.split_once(')')) {
            Some((_, after)) => after,
            None => after,
        };
    }
    kept + rest
}

/// Every answer of every operation, and whether it is counted.
fn answers(description: &mut Value) -> impl Iterator<Item = (bool, &String, &mut Value)> {
    let paths = description.pointer_mut("/paths").and_then(Value::as_object_mut).into_iter();
    let methods = paths.flat_map(Map::values_mut).filter_map(Value::as_object_mut);
    let operations = methods.flat_map(Map::values_mut);
    let answers = operations.filter_map(|operation| operation.pointer_mut("/responses")?.as_object_mut());
    answers.flat_map(|answers| {
        let counted = answers.contains_key("429");
        answers.iter_mut().map(move |(status, answer)| (counted, status, answer))
    })
}

/// Puts something into the shared part of the description.
fn components(description: &mut Value, name: &str, content: Map<String, Value>) {
    if let Some(components) = description.pointer_mut("/components").and_then(Value::as_object_mut) {
        components.insert(name.to_owned(), Value::Object(content));
    }
}

/// The headers of every answer, and those of counted ones.
fn headers(description: &mut Value) {
    let number = |text: &str| json!({ "description": text, "schema": { "type": "integer", "minimum": 0 } });
    let word = |text: &str, value: &str| json!({ "description": text, "schema": { "type": "string", "const": value } });
    let everywhere = [
        ("cache-control", word("Nothing that the relay says belongs into a cache.", "no-store")),
        ("x-content-type-options", word("Nothing is guessed about contents.", "nosniff")),
        (
            "x-request-id",
            json!({ "description": "Names this request in the relay's log.", "schema": { "type": "string" } }),
        ),
    ];
    let limits = [
        ("ratelimit-limit", number("Requests a minute.")),
        ("ratelimit-remaining", number("Requests left now.")),
        ("ratelimit-reset", number("Seconds until all of them are back.")),
        ("x-ratelimit-limit", number("As ratelimit-limit.")),
        ("x-ratelimit-remaining", number("As ratelimit-remaining.")),
        ("x-ratelimit-reset", number("As ratelimit-reset.")),
    ];
    for (counted, _, answer) in answers(description) {
        let Some(answer) = answer.as_object_mut() else { continue };
        let own = answer.entry("headers").or_insert_with(|| Value::Object(Map::new()));
        let Some(own) = own.as_object_mut() else { continue };
        for (name, _) in everywhere.iter().chain(limits.iter().filter(|_| counted)) {
            own.insert((*name).to_owned(), json!({ "$ref": format!("#/components/headers/{name}") }));
        }
    }
    let all = everywhere.into_iter().chain(limits).map(|(name, header)| (name.to_owned(), header));
    components(description, "headers", all.collect());
}

/// Makes references of what stands in many places: refusals, and the items of pages.
fn share(description: &mut Value) {
    const KINDS: &str = "/content/application~1problem+json/schema/allOf/1/properties/type/enum";
    let mut refusals = Map::new();
    for (counted, status, answer) in answers(description) {
        let Some(kinds) = answer.pointer(KINDS).and_then(Value::as_array) else { continue };
        let names = kinds.iter().filter_map(|kind| kind.as_str()?.rsplit(':').next());
        let uncounted = if counted { "" } else { ".uncounted" };
        let name = names.fold(status.clone(), |name, kind| format!("{name}.{kind}")) + uncounted;
        let reference = json!({ "$ref": format!("#/components/responses/{name}") });
        refusals.insert(name, std::mem::replace(answer, reference));
    }
    components(description, "responses", refusals);
    if let Some(schemas) = description.pointer_mut("/components/schemas").and_then(Value::as_object_mut) {
        for (name, schema) in schemas {
            let items = name.strip_prefix("Page_").zip(schema.pointer_mut("/properties/items/items"));
            if let Some((item, items)) = items {
                *items = json!({ "$ref": format!("#/components/schemas/{item}") });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_of_the_codes_documentation_become_words() {
        assert_eq!(without_links("[`A::b`] and [`C`](d::C), [e] [`f"), "`A::b` and `C`, [e] [`f");
        assert_eq!(without_links("nothing"), "nothing");
    }

    #[test]
    fn numbers_are_unsigned() {
        let mut value =
            json!({ "a": { "type": "integer", "format": "int64" }, "b": { "format": "int32", "maximum": 7 } });
        refine(&mut value);
        assert_eq!(value["a"]["maximum"], json!(u64::MAX));
        assert_eq!(value["a"]["format"], "uint64");
        assert_eq!(value["b"]["maximum"], 7);
    }
}

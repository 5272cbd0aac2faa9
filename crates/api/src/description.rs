//! The OpenAPI document of the dialects that are on, and the pages that show it.

use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa_swagger_ui::SwaggerUi;

use crate::dialects::Dialect;

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

/// The OpenAPI document of these dialects.
#[must_use]
pub fn openapi(dialects: &[Dialect]) -> OpenApi {
    let base = <Base as utoipa::OpenApi>::openapi();
    dialects.iter().fold(base, |all, dialect| all.merge_from(dialect.openapi()))
}

/// Swagger UI at `/docs` and the document at `/openapi.json`; nothing is fetched from elsewhere.
pub fn pages(dialects: &[Dialect]) -> SwaggerUi {
    SwaggerUi::new("/docs").url("/openapi.json", openapi(dialects))
}

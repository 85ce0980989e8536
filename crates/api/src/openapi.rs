//! The OpenAPI text: gathered from the routes, so it says what the code does.

use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Content, OpenApi, Ref, RefOr, Response};
use utoipa::{Modify, OpenApi as _};

use crate::problem::Problem;
use crate::routes;

/// The API as OpenAPI 3.1.
pub fn openapi() -> OpenApi {
    let (_, mut api) = routes::documented().split_for_parts();
    describe_problems(&mut api);
    api
}

/// The part that no route brings.
pub(crate) fn head() -> OpenApi {
    Head::openapi()
}

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Watchfire",
        description = "Security event monitoring for platforms whose partners integrate through an API.\n\n\
            Every token has a role (admin, analyst, shipper) and a scope (every partner, or some). What lies \
            outside of the scope is answered as if it did not exist. Errors are `application/problem+json` \
            (RFC 9457).",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    tags(
        (name = "alerts", description = "What was found"),
        (name = "query", description = "SQL over events, alerts and rejects"),
        (name = "logs", description = "Log lines by HTTP"),
        (name = "partners", description = "Whose they are"),
        (name = "detectors", description = "What is looked for"),
        (name = "tokens", description = "Who may come in"),
        (name = "operations", description = "How the process is"),
    ),
    security(("token" = [])),
    components(schemas(Problem)),
    modifiers(&BearerToken),
)]
struct Head;

struct BearerToken;

impl Modify for BearerToken {
    fn modify(&self, api: &mut OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("wf_…")
            .description(Some("`Authorization: Bearer wf_…`"))
            .build();
        let components = api.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

/// What every route has in common, said once: who may not come in, and how errors look.
fn describe_problems(api: &mut OpenApi) {
    for (path, item) in &mut api.paths.paths {
        for operation in operations(item) {
            if path.starts_with("/v1/") {
                add(operation, "401", "There is no token, or not a valid one");
                add(operation, "403", "The token's role or scope does not allow it");
            }
            for (status, response) in &mut operation.responses.responses {
                let RefOr::T(response) = response else { continue };
                if status.starts_with(['4', '5']) && response.content.is_empty() {
                    let problem = Content::new(Some(Ref::from_schema_name("Problem")));
                    response.content.insert("application/problem+json".to_owned(), problem.into());
                }
            }
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [item.get.as_mut(), item.post.as_mut(), item.delete.as_mut()].into_iter().flatten()
}

fn add(operation: &mut Operation, status: &str, description: &str) {
    let responses = &mut operation.responses.responses;
    responses.entry(status.to_owned()).or_insert_with(|| Response::new(description).into());
}

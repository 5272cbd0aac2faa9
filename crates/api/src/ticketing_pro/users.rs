//! People, for those who run the house: who has an address, and what a person may do.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use engine::people::{Role, SetRole, User};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::errors::{ApiError, ReadProblems, WriteProblems, act};
use crate::caller::Caller;
use crate::once::Posted;
use crate::query::Query;
use crate::state::AppState;
use crate::{clock, ids};

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default().routes(routes!(find)).routes(routes!(change))
}

/// Whom to look for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// The person's e-mail address, whatever its case.
    email: Option<String>,
}

/// A person, as those who run the house see it.
#[derive(Serialize, utoipa::ToSchema)]
struct UserBody {
    #[schema(examples("usr_01h455vb4pex5vsknk084sn02q"))]
    user_id: String,
    email: String,
    name: String,
    phone_number: Option<String>,
    /// `user`, `organizer` or `admin`.
    #[schema(examples("organizer"))]
    role: &'static str,
    #[schema(format = DateTime)]
    created_at: String,
}

impl From<&User> for UserBody {
    fn from(user: &User) -> Self {
        Self {
            user_id: ids::user(user.id),
            email: user.email.clone(),
            name: user.name.clone(),
            phone_number: user.phone.clone(),
            role: user.role.word(),
            created_at: clock::rfc3339(user.created_at),
        }
    }
}

/// The people that were found: one, or nobody.
#[derive(Serialize, utoipa::ToSchema)]
struct UserList {
    users: Vec<UserBody>,
}

/// What a person is to be allowed.
#[derive(Deserialize, utoipa::ToSchema)]
struct UserChange {
    /// `user` buys, `organizer` makes events of its own and lets people in there, `admin` may do everything.
    #[schema(examples("organizer"))]
    role: String,
}

/// Who has an e-mail address. For admins.
#[utoipa::path(
    get, path = "/api/users", operation_id = "find_users", params(Wanted),
    security(("bearer" = [])),
    responses((status = 200, description = "Who has it", body = UserList), ReadProblems)
)]
async fn find(
    State(state): State<AppState>,
    caller: Caller,
    Query(wanted): Query<Wanted>,
) -> Result<Json<UserList>, ApiError> {
    admin(&caller)?;
    let email = wanted.email.filter(|own| !own.trim().is_empty());
    let email = email.ok_or_else(|| ApiError::field("email", "is required"))?;
    let found = state.desk.user_by_email(&email).await?;
    Ok(Json(UserList { users: found.iter().map(UserBody::from).collect() }))
}

/// Changes what a person may do. For admins; nobody changes their own role, so that one admin is always left. What is
/// taken away is gone at once; what is given counts from the next sign-in or renewed token on.
#[utoipa::path(
    patch, path = "/api/users/{user_id}", operation_id = "change_user",
    params(
        ("user_id" = String, Path, description = "The person"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the request happen once"),
    ),
    request_body = UserChange, security(("bearer" = [])),
    responses((status = 200, description = "The changed person", body = UserBody), ReadProblems, WriteProblems)
)]
async fn change(
    State(state): State<AppState>,
    caller: Caller,
    Path(id): Path<String>,
    Posted { body, attempt }: Posted<UserChange>,
) -> Result<Response, ApiError> {
    admin(&caller)?;
    let role = Role::from_word(&body.role);
    let role = role.ok_or_else(|| ApiError::field("role", "must be user, organizer or admin"))?;
    let user = ids::parse_user(&id).ok_or(ApiError::not_found("user"))?;
    if user == caller.user {
        return Err(ApiError::bad_request("Nobody changes their own role"));
    }
    act(&state, &attempt, SetRole { user, role, password_hash: None }, |user| Ok(UserBody::from(user?))).await
}

fn admin(caller: &Caller) -> Result<(), ApiError> {
    match caller.role {
        Role::Admin => Ok(()),
        Role::User | Role::Organizer => Err(ApiError::forbidden("Only admins may do this")),
    }
}

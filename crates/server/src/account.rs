//! Accounts made from the command line or the settings.

use std::process::ExitCode;

use api::email::is_email;
use api::names::is_name;
use clap::Args;
use desk::{Desk, Stopped};
use engine::people::{RegisterUser, Role, SetRole, User};

use crate::cli::{Failure, StoreArgs, runtime};
use crate::config::{Secret, Wrong};
use crate::folder;

/// What an administrator is called who was given no name.
const NAME: &str = "관리자";

/// Whom to make an administrator.
#[derive(Debug, Args)]
pub struct CreateArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// The e-mail address to log in with.
    #[arg(long)]
    email: String,
    /// The password, 8 to 128 characters. Left out: one is made and printed.
    #[arg(long)]
    password: Option<String>,
    /// What to call the person (관리자 if left out). An account that is there keeps its name.
    #[arg(long)]
    name: Option<String>,
}

/// `maepyo admin create`.
pub fn create(args: &CreateArgs) -> Result<ExitCode, Failure> {
    let config = args.store.load(&[])?;
    let (email, name) = (args.email.trim(), args.name.as_deref().unwrap_or(NAME).trim());
    check(email, name)?;
    let made = args.password.is_none();
    let password = args.password.clone().unwrap_or_else(|| folder::random_hex().reveal()[..20].to_owned());
    let _lock = folder::open(&config)?;
    let user = runtime()?.block_on(async {
        let desk = Desk::open(config.desk()).await.map_err(Failure::new)?;
        let user = ensure(&desk, email, &password, name, Role::Admin).await;
        desk.close().await;
        user
    })?;
    println!("{email} is an administrator");
    if let Some(note) = kept_name(&user, args.name.as_deref()) {
        println!("{note}");
    }
    if made {
        println!("password: {password}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Refuses what nobody could register with either.
fn check(email: &str, name: &str) -> Result<(), Failure> {
    if !is_email(email) {
        return Err(Failure::new(format!("{email:?} is not an e-mail address")));
    }
    if !is_name(name) {
        return Err(Failure::new("the name must have 1 to 100 characters"));
    }
    Ok(())
}

/// What to say when a name was asked for that the account does not have: it was there, under its own.
fn kept_name(user: &User, asked: Option<&str>) -> Option<String> {
    let differs = asked.is_some_and(|asked| user.name != asked.trim());
    differs.then(|| format!("the account was there already and keeps its name: {}", user.name))
}

/// Makes an account with this role and password, or gives them to the one that has the address.
///
/// # Errors
/// When the password is too short or long, or the store fails.
pub async fn ensure(desk: &Desk, email: &str, password: &str, name: &str, role: Role) -> Result<User, Failure> {
    let hash = hash(password)?;
    let register = RegisterUser {
        email: email.to_owned(),
        password_hash: Some(hash.clone()),
        name: name.to_owned(),
        phone: None,
        role,
    };
    match desk.run(register).await {
        Ok(user) => Ok(user),
        Err(Stopped::Refused(_)) => {
            let known = desk.user_by_email(email).await.map_err(Failure::new)?;
            let user = known.ok_or_else(|| Failure::new(format!("{email} is taken")))?.id;
            desk.run(SetRole { user, role, password_hash: Some(hash) }).await.map_err(Failure::new)
        }
        Err(stopped) => Err(Failure::new(stopped)),
    }
}

/// The first administrator of the settings, made if nobody has the address.
///
/// # Errors
/// When the settings name no password, or the store fails.
pub async fn first_admin(desk: &Desk, email: &str, password: &Secret) -> Result<(), Failure> {
    if email.is_empty() {
        return Ok(());
    }
    match desk.user_by_email(email).await.map_err(Failure::new)? {
        Some(user) if user.role == Role::Admin => {}
        // Whoever registered it first must not become an administrator by a restart.
        Some(_) => tracing::warn!(email, "admin.email is an account that is no administrator; `maepyo admin create`"),
        None => {
            let password = password.given().ok_or_else(|| {
                Failure::Setup(Wrong("admin.email is set: set MAEPYO_ADMIN_PASSWORD (admin.password) too".to_owned()))
            })?;
            ensure(desk, email, password, NAME, Role::Admin).await?;
            tracing::info!(email, "made the first administrator");
        }
    }
    Ok(())
}

fn hash(password: &str) -> Result<String, Failure> {
    let length = password.chars().count();
    if !(8..=128).contains(&length) {
        return Err(Failure::new("the password must have 8 to 128 characters"));
    }
    Ok(api::passwords::hash(password))
}

#[cfg(test)]
mod tests {
    use engine::id::UserId;
    use engine::time::Time;

    use super::*;

    #[test]
    fn an_administrator_has_an_address_and_a_name_that_could_be_registered() {
        assert!(check("olga@example.com", NAME).is_ok());
        for email in ["a b@", "@", "x@y", "<a>@b.co", ""] {
            let refused = check(email, NAME).expect_err(email).to_string();
            assert_eq!(refused, format!("{email:?} is not an e-mail address"));
        }
        assert!(check("olga@example.com", "").is_err() && check("olga@example.com", &"n".repeat(101)).is_err());
    }

    #[test]
    fn a_name_that_was_asked_for_in_vain_is_told() {
        let user = User {
            id: UserId(1),
            email: "olga@example.com".to_owned(),
            password_hash: None,
            name: "Olga".to_owned(),
            phone: None,
            role: Role::Admin,
            created_at: Time::from_millis(0),
        };
        let note = kept_name(&user, Some("Olha")).expect("told");
        assert_eq!(note, "the account was there already and keeps its name: Olga");
        assert_eq!([kept_name(&user, None), kept_name(&user, Some("Olga "))], [None, None]);
    }
}

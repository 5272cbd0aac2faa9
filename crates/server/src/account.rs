//! Accounts made from the command line or the settings.

use std::process::ExitCode;

use clap::Args;
use desk::{Desk, Stopped};
use engine::people::{RegisterUser, Role, SetRole, User};

use crate::cli::{Failure, StoreArgs, runtime};
use crate::config::{Secret, Wrong};
use crate::folder;

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
    /// What to call the person.
    #[arg(long, default_value = "관리자")]
    name: String,
}

/// `maepyo admin create`.
pub fn create(args: &CreateArgs) -> Result<ExitCode, Failure> {
    let config = args.store.load(&[])?;
    if !args.email.contains('@') {
        return Err(Failure::new(format!("{:?} is not an e-mail address", args.email)));
    }
    let made = args.password.is_none();
    let password = args.password.clone().unwrap_or_else(|| folder::random_hex().reveal()[..20].to_owned());
    let _lock = folder::open(&config)?;
    runtime()?.block_on(async {
        let desk = Desk::open(config.desk()).await.map_err(Failure::new)?;
        let user = ensure(&desk, &args.email, &password, &args.name, Role::Admin).await;
        desk.close().await;
        user
    })?;
    println!("{} is an administrator", args.email);
    if made {
        println!("password: {password}");
    }
    Ok(ExitCode::SUCCESS)
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
            ensure(desk, email, password, "관리자", Role::Admin).await?;
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

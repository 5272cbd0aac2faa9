//! The data folder: one server at a time, and the secrets that are made once.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use crate::cli::Failure;
use crate::config::{Config, Secret};

/// While it lives, no other process works on the folder. The system lets go of it when the process ends, however it ends.
pub struct Lock {
    _file: Option<File>,
}

/// Makes the data folder if absent, and takes it for this process where the store is inside it.
///
/// # Errors
/// When another process has it, or it cannot be written.
pub fn open(config: &Config) -> Result<Lock, Failure> {
    let folder = &config.data;
    let named = |error: std::io::Error| Failure::new(format!("{}: {error}", folder.display()));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(named)?;
    if config.database.url.given().is_some() {
        return Ok(Lock { _file: None });
    }
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(folder.join("lock")).map_err(named)?;
    match file.try_lock() {
        Ok(()) => Ok(Lock { _file: Some(file) }),
        Err(TryLockError::Error(error)) => Err(named(error)),
        Err(TryLockError::WouldBlock) => Err(Failure::new(format!(
            "{} is in use by another maepyo process: stop it, or use another folder (--data)",
            folder.display()
        ))),
    }
}

/// A secret: as it is set, else the one kept in the data folder under `name`, made there the first time.
///
/// # Errors
/// When the folder cannot be read or written.
pub fn secret(set: &Secret, folder: &Path, name: &str) -> Result<Secret, Failure> {
    if set.given().is_some() {
        return Ok(set.clone());
    }
    let path = folder.join(name);
    let named = |error: std::io::Error| Failure::new(format!("{}: {error}", path.display()));
    match OpenOptions::new().create_new(true).write(true).mode(0o600).open(&path) {
        Ok(mut file) => {
            let made = random_hex();
            file.write_all(made.reveal().as_bytes()).and_then(|()| file.sync_all()).map_err(named)?;
            Ok(made)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => kept(&path, named),
        Err(error) => Err(named(error)),
    }
}

fn kept(path: &Path, named: impl Fn(std::io::Error) -> Failure) -> Result<Secret, Failure> {
    let text = std::fs::read_to_string(path).map_err(named)?;
    match text.trim() {
        text if text.len() >= 32 => Ok(Secret::new(text)),
        // What a crash in the middle of making it leaves behind.
        _ => Err(Failure::new(format!("{} holds no secret: remove it, and a new one is made", path.display()))),
    }
}

/// 32 random bytes in hexadecimal.
pub fn random_hex() -> Secret {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the system has randomness");
    Secret::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn config(name: &str) -> Config {
        let folder = std::env::temp_dir().join(format!("maepyo-folder-{name}-{}", std::process::id()));
        let flags = [("data", folder.to_string_lossy().into_owned())];
        Config::load(None, std::iter::empty(), &flags).expect("valid").0
    }

    #[test]
    fn a_second_lock_on_the_same_folder_is_refused_until_the_first_ends() {
        let config = config("lock");
        let first = open(&config).expect("free");
        let refused = open(&config).err().expect("taken").to_string();
        assert!(refused.contains("in use by another maepyo"), "{refused}");
        drop(first);
        assert!(open(&config).is_ok());
        std::fs::remove_dir_all(&config.data).expect("removable");
    }

    #[test]
    fn a_secret_is_made_once_and_only_its_owner_may_read_it() {
        let config = config("secret");
        let _lock = open(&config).expect("free");
        let made = secret(&Secret::default(), &config.data, "s").expect("made");
        let again = secret(&Secret::default(), &config.data, "s").expect("kept");
        assert_eq!(made.reveal(), again.reveal());
        assert_eq!(made.reveal().len(), 64);
        let mode = std::fs::metadata(config.data.join("s")).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let own = secret(&Secret::new("own"), &config.data, "s").expect("given");
        assert_eq!(own.reveal(), "own");
        std::fs::remove_dir_all(&config.data).expect("removable");
    }
}

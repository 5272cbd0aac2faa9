//! Messages as files, where nobody is there to carry them.

use std::io::Write;
use std::path::Path;

use engine::messages::Settled;

/// Writes a file in one piece: it is there as a whole or not at all, and writing it again changes nothing.
pub async fn write(folder: &Path, name: String, bytes: Vec<u8>) -> Settled {
    let folder = folder.to_owned();
    let work = move || -> std::io::Result<()> {
        std::fs::create_dir_all(&folder)?;
        let draft = folder.join(format!(".{name}"));
        let mut file = std::fs::File::create(&draft)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        std::fs::rename(draft, folder.join(name))
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(())) => Settled::Sent,
        Ok(Err(error)) => Settled::Failed(error.to_string()),
        Err(error) => Settled::Failed(error.to_string()),
    }
}

//! Messages as files, where nobody is there to carry them.

use std::path::Path;

use engine::messages::Settled;

/// Writes a file in one piece: it is there as a whole or not at all, and writing it again changes nothing. It is not
/// flushed: a flush for each message would slow down those of sales, and files are for those who have no carrier.
pub async fn write(folder: &Path, name: String, bytes: Vec<u8>) -> Settled {
    let folder = folder.to_owned();
    let work = move || -> std::io::Result<()> {
        std::fs::create_dir_all(&folder)?;
        let draft = folder.join(format!(".{name}"));
        std::fs::write(&draft, bytes)?;
        std::fs::rename(draft, folder.join(name))
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(())) => Settled::Sent,
        Ok(Err(error)) => Settled::Failed(error.to_string()),
        Err(error) => Settled::Failed(error.to_string()),
    }
}

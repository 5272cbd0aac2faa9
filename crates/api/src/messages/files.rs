//! Messages as files, where nobody is there to carry them.

use std::path::Path;

use engine::id::MessageId;
use engine::messages::Settled;

/// A message as it goes into a file, or why it cannot be written.
pub type Written = (MessageId, Result<Vec<u8>, String>);

/// Puts messages into one file of a folder together, since a file of its own for each takes a server longer than the sale it is
/// about. The file is there as a whole or not at all; the same messages written again, after a crash, are the same file. It is
/// not flushed: files are for those who have no carrier.
pub async fn keep(folder: &Path, ending: &str, messages: Vec<Written>) -> Vec<(MessageId, Settled)> {
    let first = messages.iter().filter(|(_, text)| text.is_ok()).map(|(id, _)| id.0).min();
    let all = messages.iter().filter_map(|(_, text)| text.as_deref().ok()).collect::<Vec<_>>().concat();
    let kept = match first {
        Some(first) => write(folder, format!("{first:032x}.{ending}"), all).await,
        None => Settled::Sent,
    };
    let settled = |(id, text): Written| (id, text.map_or_else(Settled::Refused, |_| kept.clone()));
    messages.into_iter().map(settled).collect()
}

async fn write(folder: &Path, name: String, bytes: Vec<u8>) -> Settled {
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

/// A letter as one of several of a file (mbox, RFC 4155): after a line with whom it is from and when it was written, lines
/// end as those of a text file do, and what looks like such a line has a `>` before it.
pub fn boxed(letter: &[u8], from: &str, written: jiff::Timestamp) -> Vec<u8> {
    let mut boxed = format!("From {from} {}\n", written.strftime("%a %b %e %H:%M:%S %Y")).into_bytes();
    for line in letter.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let quotes = line.iter().take_while(|byte| **byte == b'>').count();
        if line[quotes..].starts_with(b"From ") {
            boxed.push(b'>');
        }
        boxed.extend_from_slice(line);
        boxed.push(b'\n');
    }
    boxed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn messages_are_kept_together_and_again_as_the_same_file() {
        let folder = std::env::temp_dir().join(format!("maepyo-kept-{}", std::process::id()));
        let messages = || {
            let text = |text: &str| Ok(text.as_bytes().to_vec());
            vec![(MessageId(9), text("b")), (MessageId(3), Err("nobody".to_owned())), (MessageId(7), text("c"))]
        };
        let expected = [(9, Settled::Sent), (3, Settled::Refused("nobody".to_owned())), (7, Settled::Sent)];
        for _ in 0..2 {
            let settled = keep(&folder, "txt", messages()).await;
            assert_eq!(settled, expected.clone().map(|(id, settled)| (MessageId(id), settled)));
        }
        let files = std::fs::read_dir(&folder).expect("it is there").flatten().map(|file| file.file_name());
        let name = format!("{:032x}.txt", 7);
        assert_eq!(files.collect::<Vec<_>>(), [name.as_str()]);
        assert_eq!(std::fs::read(folder.join(name)).expect("it is there"), b"bc");
        std::fs::remove_dir_all(&folder).expect("it can be removed");
    }

    #[tokio::test]
    async fn what_no_file_takes_is_tried_again() {
        let file = std::env::temp_dir().join(format!("maepyo-no-folder-{}", std::process::id()));
        std::fs::write(&file, "").expect("it can be written");
        let settled = keep(&file, "txt", vec![(MessageId(1), Ok(Vec::new()))]).await;
        std::fs::remove_file(&file).expect("it can be removed");
        assert!(matches!(settled[..], [(MessageId(1), Settled::Failed(_))]), "{settled:?}");
    }

    #[test]
    fn a_letter_of_several_begins_with_who_wrote_it_when_and_nothing_else_looks_like_that() {
        let letter = b"Subject: S\r\n\r\nFrom here\r\n>From there\r\nFromage\r\n> From\r\n";
        let written = jiff::Timestamp::from_second(1_700_000_000).expect("a moment");
        let text = String::from_utf8(boxed(letter, "a@b.c", written)).expect("it is text");
        let expected =
            "From a@b.c Tue Nov 14 22:13:20 2023\nSubject: S\n\n>From here\n>>From there\nFromage\n> From\n\n";
        assert_eq!(text, expected);
    }
}

//! The index: opened or made, changed, looked into.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::{Mutex, RwLock};
use tantivy::indexer::{IndexWriterOptions, LogMergePolicy};
use tantivy::{Index, IndexReader, IndexWriter, ReloadPolicy, Term};

use crate::complete::complete;
use crate::plan::{Effort, Planner};
use crate::schema::{Fields, VERSION, schema, settings};
use crate::sift::{Candidate, Sifted, ids, sift};
use crate::synonyms::Synonyms;
use crate::terms::indexed;
use crate::view::View;
use crate::{Document, Found, Hit, SearchError, Suggestion, Wanted};

/// What is buffered before a segment is written, in bytes.
const BUFFER: usize = 32 << 20;
/// A segment of which more than this share is gone is written anew.
const MOST_GONE: f32 = 0.3;
/// So many segments of a size become one.
const MERGED: usize = 4;

/// The index. Cheap to clone; all clones are one index.
#[derive(Clone)]
pub struct Search(Arc<Inside>);

struct Inside {
    index: Index,
    fields: Fields,
    reader: IndexReader,
    view: RwLock<Arc<View>>,
    /// Made when something is to be written, and again after a failure.
    writer: Mutex<Option<IndexWriter>>,
    synonyms: RwLock<Arc<Synonyms>>,
    list: Option<List>,
    /// Held while this process uses the folder.
    _lock: Option<File>,
}

/// The file with the synonyms.
struct List {
    path: PathBuf,
    /// When it was changed, as of its last reading.
    read: Mutex<Option<SystemTime>>,
}

impl List {
    fn changed(&self) -> Option<SystemTime> {
        std::fs::metadata(&self.path).and_then(|data| data.modified()).ok()
    }
}

impl Search {
    /// Opens the index in a folder. One that is not there, is damaged, or was made for another version starts empty.
    /// `cards` is the version of what callers put into cards. `synonyms` is the file with names that mean the same;
    /// it is made if it is not there.
    ///
    /// # Errors
    /// When the folder cannot be written, or another process uses it.
    pub fn open(folder: &Path, cards: &str, synonyms: &Path) -> Result<Self, SearchError> {
        std::fs::create_dir_all(folder)?;
        let lock = lock(&folder.join("lock"))?;
        let (index, made) = (folder.join("index"), folder.join("version"));
        let version = format!("{VERSION} {cards}");
        let known = std::fs::read_to_string(&made).is_ok_and(|text| text == version);
        let opened = if known { undamaged(&index) } else { None };
        let index = match opened {
            Some(index) => index,
            None => {
                tracing::info!(folder = %folder.display(), "the search index is made anew");
                // The version goes first: half an index without it is never taken for a whole one.
                remove(&made)?;
                remove(&index)?;
                std::fs::create_dir_all(&index)?;
                let fresh = Index::builder().schema(schema().0).settings(settings()).create_in_dir(&index)?;
                std::fs::write(&made, version)?;
                fresh
            }
        };
        let names = Synonyms::load(synonyms)?;
        let list = List { path: synonyms.to_owned(), read: Mutex::default() };
        *list.read.lock() = list.changed();
        Self::over(index, names, Some(list), Some(lock))
    }

    /// An index that is gone with the process, with the usual synonyms.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn in_memory() -> Result<Self, SearchError> {
        let index = Index::builder().schema(schema().0).settings(settings()).create_in_ram()?;
        Self::over(index, Synonyms::usual(), None, None)
    }

    fn over(index: Index, synonyms: Synonyms, list: Option<List>, lock: Option<File>) -> Result<Self, SearchError> {
        let (_, fields) = schema();
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual);
        let reader: IndexReader = reader.try_into()?;
        let view = View::new(reader.searcher(), fields, None)?;
        Ok(Self(Arc::new(Inside {
            index,
            fields,
            reader,
            view: RwLock::new(Arc::new(view)),
            writer: Mutex::new(None),
            synonyms: RwLock::new(Arc::new(synonyms)),
            list,
            _lock: lock,
        })))
    }

    fn view(&self) -> Arc<View> {
        self.0.view.read().clone()
    }

    /// The version of each document there is, by id.
    #[must_use]
    pub fn versions(&self) -> HashMap<u128, i64> {
        self.view().versions()
    }

    /// How many documents there are.
    #[must_use]
    pub fn count(&self) -> u32 {
        u32::try_from(self.view().count()).unwrap_or(u32::MAX)
    }

    /// Takes documents in, in place of those with the same id, and removes others: found and durable when this is done.
    /// It writes files: do not call it where waiting is not welcome.
    ///
    /// # Errors
    /// When it cannot be written; then nothing of it is.
    pub fn change<'a>(
        &self,
        documents: impl IntoIterator<Item = Document<'a>>,
        gone: impl IntoIterator<Item = u128>,
    ) -> Result<(), SearchError> {
        self.write(documents, gone)?;
        self.commit()
    }

    /// As [`Search::change`], but found and durable only after the next [`Search::commit`]: for many.
    ///
    /// # Errors
    /// When it cannot be written; then nothing is since the last commit.
    pub fn write<'a>(
        &self,
        documents: impl IntoIterator<Item = Document<'a>>,
        gone: impl IntoIterator<Item = u128>,
    ) -> Result<(), SearchError> {
        self.with_writer(|writer| {
            for document in documents {
                writer.delete_term(self.key(document.id));
                writer.add_document(indexed(&document, &self.0.fields))?;
            }
            for id in gone {
                writer.delete_term(self.key(id));
            }
            Ok(())
        })
    }

    /// Makes what was written found and durable.
    ///
    /// # Errors
    /// When it cannot be; then nothing is that was written since the last time.
    pub fn commit(&self) -> Result<(), SearchError> {
        self.with_writer(|writer| {
            writer.commit()?;
            self.look_again()
        })
    }

    /// A writer that failed is not used again, and what it had is forgotten with it.
    fn with_writer(&self, work: impl FnOnce(&mut IndexWriter) -> Result<(), SearchError>) -> Result<(), SearchError> {
        let mut kept = self.0.writer.lock();
        let mut writer = kept.take().map_or_else(|| self.writer(), Ok)?;
        work(&mut writer)?;
        *kept = Some(writer);
        Ok(())
    }

    /// Brings all that is committed into one segment, which is read fastest.
    ///
    /// # Errors
    /// When it cannot be written; what was there stays.
    pub fn compact(&self) -> Result<(), SearchError> {
        let mut kept = self.0.writer.lock();
        if let Some(writer) = kept.take() {
            // Merges under way would get in the way of ours.
            writer.wait_merging_threads()?;
        }
        let mut writer = self.writer()?;
        let segments = self.0.index.searchable_segment_ids()?;
        if segments.len() > 1 {
            writer.merge(&segments).wait()?;
        }
        *kept = Some(writer);
        self.look_again()
    }

    fn key(&self, id: u128) -> Term {
        Term::from_field_bytes(self.0.fields.key, &id.to_be_bytes())
    }

    fn writer(&self) -> Result<IndexWriter, SearchError> {
        let options = IndexWriterOptions::builder().memory_budget_per_thread(BUFFER).num_merge_threads(1).build();
        let writer = self.0.index.writer_with_options(options)?;
        let mut merging = LogMergePolicy::default();
        merging.set_min_num_segments(MERGED);
        merging.set_del_docs_ratio_before_merge(MOST_GONE);
        writer.set_merge_policy(Box::new(merging));
        Ok(writer)
    }

    /// Shows what was written to those who look from now on.
    fn look_again(&self) -> Result<(), SearchError> {
        self.0.reader.reload()?;
        self.new_view()
    }

    /// Begins a new state, of which nothing was asked yet.
    fn new_view(&self) -> Result<(), SearchError> {
        let view = View::new(self.0.reader.searcher(), self.0.fields, Some(&self.view()))?;
        *self.0.view.write() = Arc::new(view);
        Ok(())
    }

    /// Reads the list of synonyms again if it was edited.
    ///
    /// # Errors
    /// When it cannot be read; then the ones known before stay.
    pub fn read_synonyms(&self) -> Result<(), SearchError> {
        let Some(list) = &self.0.list else { return Ok(()) };
        let (changed, mut read) = (list.changed(), list.read.lock());
        if *read != changed || changed.is_none() {
            *self.0.synonyms.write() = Arc::new(Synonyms::load(&list.path)?);
            *read = list.changed();
            // What was answered with the names known before is not what is answered now.
            self.new_view()?;
        }
        Ok(())
    }

    /// Looks among what is published.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn find(&self, wanted: &Wanted<'_>) -> Result<Found, SearchError> {
        let view = self.view();
        let page = match view.answers.get(wanted) {
            Some(page) => page,
            None => {
                let page = Arc::new(self.sifted(&view, wanted)?);
                view.answers.keep(wanted, &page);
                page
            }
        };
        let hit = |own: &Candidate| Hit { id: own.id, score: own.score, card: view.card(own.at).to_vec() };
        Ok(Found { hits: page.page.iter().map(hit).collect(), total: page.total })
    }

    fn sifted(&self, view: &View, wanted: &Wanted<'_>) -> Result<Sifted, SearchError> {
        let synonyms = self.0.synonyms.read().clone();
        let planner = Planner { view, synonyms: &synonyms, field: view.fields.text };
        for effort in Effort::ALL {
            let Some(ask) = planner.query(wanted.text, effort)? else { break };
            let sifted = sift(view, &ask, wanted);
            if sifted.published > 0 {
                return Ok(sifted);
            }
        }
        Ok(Sifted::default())
    }

    /// The ids of all whose title, artist, venue, location or address has these words, at whatever stage they are; in no
    /// order. A text without words gives none.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn match_ids(&self, text: &str) -> Result<Vec<u128>, SearchError> {
        let (view, synonyms) = (self.view(), self.0.synonyms.read().clone());
        let planner = Planner { view: &view, synonyms: &synonyms, field: view.fields.names };
        for effort in [Effort::Written, Effort::Typos] {
            let Some(ask) = planner.query(text, effort)? else { break };
            let found = ids(&view, &ask);
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }

    /// The published titles that what was typed may become, the likeliest first. What is over at `now` comes last.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn complete(&self, typed: &str, limit: usize, now: i64) -> Result<Vec<Suggestion>, SearchError> {
        let synonyms = self.0.synonyms.read().clone();
        complete(&self.view(), &synonyms, typed, limit, now)
    }
}

/// Takes the folder for this process; the system lets go of it when the process ends, however it ends.
fn lock(path: &Path) -> Result<File, SearchError> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(SearchError::Taken),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

/// The index in a folder, if each of its files is what was written and it can be read.
fn undamaged(folder: &Path) -> Option<Index> {
    let read = || -> Result<Option<Index>, SearchError> {
        let index = Index::open_in_dir(folder)?;
        let damaged = index.validate_checksum()?;
        let (expected, fields) = schema();
        if !damaged.is_empty() || index.schema() != expected {
            return Ok(None);
        }
        let reader: IndexReader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        View::new(reader.searcher(), fields, None)?;
        Ok(Some(index))
    };
    // Some damage is met by arithmetic that stops the thread, such as a file too short for its own end.
    match std::panic::catch_unwind(AssertUnwindSafe(read)) {
        Ok(Ok(index)) => index,
        Ok(Err(error)) => {
            tracing::warn!(%error, "the search index is damaged");
            None
        }
        Err(_) => {
            tracing::warn!("the search index is damaged");
            None
        }
    }
}

fn remove(path: &Path) -> Result<(), SearchError> {
    let gone = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    match gone {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

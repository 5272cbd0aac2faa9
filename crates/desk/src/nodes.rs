//! What nodes of a shared database tell each other that is in no row of its own: words that are heard once, within a
//! moment, and then forgotten.

use std::sync::Arc;

use tokio::sync::broadcast;

use crate::Stopped;
use crate::desk::Desk;
use crate::value::IntoValue as _;

/// How many words a listener may be behind.
const MOST_BEHIND: usize = 1_024;

/// A word of another node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeWord {
    /// Whose it is: a number that the node drew when it started.
    pub node: i64,
    /// What it said.
    pub body: String,
}

/// Who listens to the other nodes.
pub(crate) struct NodeWords(broadcast::Sender<Arc<NodeWord>>);

impl Default for NodeWords {
    fn default() -> Self {
        Self(broadcast::Sender::new(MOST_BEHIND))
    }
}

impl NodeWords {
    pub(crate) fn hear(&self, word: NodeWord) {
        // Nobody may be listening.
        let _ = self.0.send(Arc::new(word));
    }
}

/// Writes a word down for the others.
pub(crate) const TELL: &str = "INSERT INTO node_news (made_at, node, body) VALUES (?1, ?2, ?3)";

impl Desk {
    /// Tells the other nodes something, where there may be any. Who is away for more than a moment does not hear it.
    ///
    /// # Errors
    /// Why it could not be told.
    pub async fn tell_nodes(&self, body: &str) -> Result<(), Stopped> {
        if !self.is_shared() {
            return Ok(());
        }
        let params = vec![self.now().0.value(), self.0.shared.node.value(), body.value()];
        self.chore(TELL, params).await.map(drop)
    }

    /// The words of the other nodes from now on. Who listens too slowly misses some (`RecvError::Lagged`).
    #[must_use]
    pub fn hear_nodes(&self) -> broadcast::Receiver<Arc<NodeWord>> {
        self.0.shared.node_words.0.subscribe()
    }
}

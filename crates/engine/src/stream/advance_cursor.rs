use super::Cursor;
use crate::command::{Command, Context, Decision, Stop, Verdict};
use crate::world::{Key, Row, World};

/// Moves a cursor over what was worked off. Part of the command that does the work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advance {
    /// Whose cursor.
    pub name: String,
    /// The node that is at it.
    pub holder: u64,
    /// Where the work began: the position after which was read.
    pub from: u64,
    /// The last position of what was worked off; nothing will ever be between.
    pub to: u64,
}

impl Advance {
    /// The cursor moved; `None` where it is not where the work began, or another node's by now: then the work must not
    /// be done.
    ///
    /// # Errors
    /// [`Stop::Missing`] before the cursor is loaded.
    pub fn moved(&self, world: &World) -> Result<Option<Row>, Stop> {
        world.need([Key::Cursor(self.name.clone())])?;
        let known = world.cursors.get(&self.name);
        let own = known.filter(|cursor| cursor.holder == self.holder && cursor.position == self.from);
        Ok(own.map(|cursor| Row::Cursor(Cursor { position: self.to, ..cursor.clone() })))
    }
}

/// Moves a cursor, for work whose effects are elsewhere and may be repeated. Gives whether it moved.
#[derive(Debug, Clone)]
pub struct AdvanceCursor(pub Advance);

impl Command for AdvanceCursor {
    type Reply = bool;
    const NAME: &'static str = "AdvanceCursor";

    fn decide(&self, world: &World, _: &mut Context) -> Verdict<bool> {
        let moved = self.0.moved(world)?;
        Ok(Decision::new(moved.is_some()).put_all(moved))
    }
}

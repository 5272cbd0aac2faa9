use super::Cursor;
use crate::command::{Command, Context, Decision, Verdict};
use crate::time::Span;
use crate::world::{Key, Row, World};

/// Takes a cursor for a node, unless another one is at it. A cursor that is not there yet is made, before everything.
#[derive(Debug, Clone)]
pub struct LeaseCursor {
    /// Whose cursor.
    pub name: String,
    /// The node.
    pub holder: u64,
    /// For how long; it is renewed when half of it is over.
    pub span: Span,
}

impl Command for LeaseCursor {
    /// The last position that was worked off; `None` where another node is at it.
    type Reply = Option<u64>;
    const NAME: &'static str = "LeaseCursor";

    fn decide(&self, world: &World, cx: &mut Context) -> Verdict<Option<u64>> {
        world.need([Key::Cursor(self.name.clone())])?;
        let known = world.cursors.get(&self.name);
        let own = known.is_some_and(|cursor| cursor.holder == self.holder);
        if known.is_some_and(|cursor| !own && cursor.leased_until > cx.now) {
            return Ok(Decision::new(None));
        }
        let position = known.map_or(0, |cursor| cursor.position);
        let decision = Decision::new(Some(position));
        let fresh = cx.now + Span(self.span.0 / 2);
        if own && known.is_some_and(|cursor| cursor.leased_until > fresh) {
            return Ok(decision);
        }
        let leased_until = cx.now + self.span;
        let leased = Cursor { name: self.name.clone(), position, holder: self.holder, leased_until };
        Ok(decision.put(Row::Cursor(leased)))
    }
}

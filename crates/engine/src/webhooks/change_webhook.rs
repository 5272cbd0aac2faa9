use super::{Kind, Webhook};
use crate::catalogue::Editor;
use crate::command::{Command, Context, Decision, Verdict};
use crate::id::WebhookId;
use crate::people::Role;
use crate::refusal::Refusal;
use crate::world::{Change, Key, Row, World};

/// Has somebody told of bookings: an admin of all, an organizer of those of its own events.
#[derive(Clone)]
pub struct CreateWebhook {
    /// Who wants it.
    pub editor: Editor,
    /// Where to.
    pub url: String,
    /// Of what.
    pub kinds: Vec<Kind>,
    /// Signs what is told.
    pub secret: String,
}

impl Command for CreateWebhook {
    type Reply = Webhook;
    const NAME: &'static str = "CreateWebhook";

    fn decide(&self, _: &World, cx: &mut Context) -> Verdict<Webhook> {
        if self.editor.role == Role::User {
            return Err(Refusal::NotYours.into());
        }
        let webhook = Webhook {
            id: cx.mint.id(),
            owner: self.editor.user,
            of_all: self.editor.role == Role::Admin,
            url: self.url.clone(),
            kinds: self.kinds.clone(),
            secret: self.secret.clone(),
            created_at: cx.now,
        };
        Ok(Decision::new(webhook.clone()).put(Row::Webhook(webhook)))
    }
}

/// Has nobody told any more. What waits for it is given up. Gives whether it was there.
#[derive(Debug, Clone)]
pub struct DeleteWebhook {
    /// Who wants it.
    pub editor: Editor,
    /// Which.
    pub webhook: WebhookId,
}

impl Command for DeleteWebhook {
    type Reply = bool;
    const NAME: &'static str = "DeleteWebhook";

    fn decide(&self, world: &World, _: &mut Context) -> Verdict<bool> {
        let key = Key::Webhook(self.webhook);
        world.need([key.clone()])?;
        let Some(webhook) = world.webhooks.get(&self.webhook) else { return Ok(Decision::new(false)) };
        webhook.may_be_changed_by(self.editor)?;
        Ok(Decision::new(true).change(vec![Change::Delete(key)]))
    }
}

impl Webhook {
    /// Goes on when this person may see and change it: its owner, or an admin.
    ///
    /// # Errors
    /// [`Refusal::NotYours`].
    pub fn may_be_changed_by(&self, editor: Editor) -> Result<(), Refusal> {
        let may = editor.role == Role::Admin || editor.role == Role::Organizer && editor.user == self.owner;
        if may { Ok(()) } else { Err(Refusal::NotYours) }
    }
}

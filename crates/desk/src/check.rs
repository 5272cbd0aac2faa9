//! Auditing: every invariant as a query over the whole store, on either database.
//!
//! Each query gives the rows that break a rule, so a clean store gives none. They read whole tables by sets, not row
//! by row, and see one moment each: on a live store what is under way is either before or after it.

use crate::desk::Desk;
use crate::value::{Columns, IntoValue as _, Kind, Value};
use crate::{CheckReport, Unavailable};

/// A rule: what is always true, how many rows it is about, and the query that finds what breaks it. `?1` is the
/// moment in microseconds, `?2` how many to name. The query gives an id and a number that shows what is wrong.
pub(crate) struct Rule {
    name: &'static str,
    over: &'static str,
    broken: &'static str,
}

/// 9,223,372,036,854,775,807 stands for a claim without end: sold.
pub(crate) const RULES: &[Rule] = &[
    Rule {
        name: "a confirmed reservation owns every one of its seats",
        over: "SELECT COUNT(*) FROM reservations WHERE status = 'confirmed'",
        broken: "SELECT r.id, COALESCE(c.seats, 0) + COALESCE(p.tickets, 0) FROM reservations r \
                 LEFT JOIN (SELECT reservation_id, COUNT(*) AS seats FROM claims \
                   WHERE claimed_until = 9223372036854775807 GROUP BY reservation_id) c ON c.reservation_id = r.id \
                 LEFT JOIN (SELECT reservation_id, CAST(SUM(quantity) AS BIGINT) AS tickets FROM portions \
                   WHERE claimed_until = 9223372036854775807 GROUP BY reservation_id) p ON p.reservation_id = r.id \
                 WHERE r.status = 'confirmed' AND COALESCE(c.seats, 0) + COALESCE(p.tickets, 0) <> r.count \
                 AND CAST(?1 AS BIGINT) >= 0 LIMIT ?2",
    },
    Rule {
        name: "a held reservation holds every one of its seats",
        over: "SELECT COUNT(*) FROM reservations WHERE status = 'pending'",
        broken: "SELECT r.id, COALESCE(c.seats, 0) + COALESCE(p.tickets, 0) FROM reservations r \
                 LEFT JOIN (SELECT reservation_id, COUNT(*) AS seats FROM claims \
                   WHERE claimed_until > 0 GROUP BY reservation_id) c ON c.reservation_id = r.id \
                 LEFT JOIN (SELECT reservation_id, CAST(SUM(quantity) AS BIGINT) AS tickets FROM portions \
                   WHERE claimed_until > 0 GROUP BY reservation_id) p ON p.reservation_id = r.id \
                 WHERE r.status = 'pending' AND r.claimed_until > ?1 \
                 AND COALESCE(c.seats, 0) + COALESCE(p.tickets, 0) <> r.count LIMIT ?2",
    },
    Rule {
        name: "a sold seat belongs to a confirmed reservation of its event",
        over: "SELECT COUNT(*) FROM claims",
        broken: "SELECT c.reservation_id, c.ordinal FROM claims c LEFT JOIN reservations r \
                 ON r.id = c.reservation_id AND r.event_id = c.event_id \
                 WHERE c.claimed_until = 9223372036854775807 AND (r.id IS NULL OR r.status <> 'confirmed') \
                 AND CAST(?1 AS BIGINT) >= 0 LIMIT ?2",
    },
    Rule {
        name: "a claimed seat is one that its reservation names",
        over: "SELECT COUNT(*) FROM claims WHERE claimed_until > 0",
        broken: "SELECT c.reservation_id, c.ordinal FROM claims c JOIN reservations r ON r.id = c.reservation_id \
                 WHERE c.claimed_until > ?1 \
                 AND (',' || r.seats) NOT LIKE ('%,' || CAST(c.ordinal AS TEXT) || ':%') LIMIT ?2",
    },
    Rule {
        name: "a held seat belongs to a reservation that holds it for as long",
        over: "SELECT COUNT(*) FROM claims WHERE claimed_until > 0",
        broken: "SELECT c.reservation_id, c.ordinal FROM claims c LEFT JOIN reservations r \
                 ON r.id = c.reservation_id AND r.event_id = c.event_id \
                 WHERE c.claimed_until > ?1 AND (r.id IS NULL OR r.claimed_until <> c.claimed_until) LIMIT ?2",
    },
    Rule {
        name: "the sold and held of a stock are the sums of its portions",
        over: "SELECT COUNT(*) FROM stocks",
        broken: "SELECT s.ticket_type_id, s.sold + s.held FROM stocks s LEFT JOIN (SELECT ticket_type_id, \
                 CAST(SUM(CASE WHEN claimed_until = 9223372036854775807 THEN quantity ELSE 0 END) AS BIGINT) AS sold, \
                 CAST(SUM(CASE WHEN claimed_until < 9223372036854775807 THEN quantity ELSE 0 END) AS BIGINT) AS held \
                 FROM portions GROUP BY ticket_type_id) p ON p.ticket_type_id = s.ticket_type_id \
                 WHERE (s.sold <> COALESCE(p.sold, 0) OR s.held <> COALESCE(p.held, 0)) AND CAST(?1 AS BIGINT) >= 0 LIMIT ?2",
    },
    Rule {
        name: "no ticket type sells or holds more than its stock",
        over: "SELECT COUNT(*) FROM stocks",
        broken: "SELECT s.ticket_type_id, s.sold + s.held FROM stocks s LEFT JOIN (SELECT ticket_type_id, \
                 CAST(SUM(quantity) AS BIGINT) AS lapsed FROM portions \
                 WHERE claimed_until > 0 AND claimed_until <= ?1 GROUP BY ticket_type_id) p \
                 ON p.ticket_type_id = s.ticket_type_id \
                 WHERE s.sold + s.held - COALESCE(p.lapsed, 0) > s.quantity OR s.sold < 0 OR s.held < 0 LIMIT ?2",
    },
    Rule {
        name: "a wallet has what the ledger says, and never less than nothing",
        over: "SELECT COUNT(*) FROM wallets",
        broken: "SELECT w.user_id, w.balance FROM wallets w \
                 LEFT JOIN (SELECT credit_id AS user_id, CAST(SUM(amount) AS BIGINT) AS amount FROM transfers \
                   WHERE credit = 'wallet' GROUP BY credit_id) i ON i.user_id = w.user_id \
                 LEFT JOIN (SELECT debit_id AS user_id, CAST(SUM(amount) AS BIGINT) AS amount FROM transfers \
                   WHERE debit = 'wallet' GROUP BY debit_id) o ON o.user_id = w.user_id \
                 WHERE (w.balance <> COALESCE(i.amount, 0) - COALESCE(o.amount, 0) OR w.balance < 0) \
                 AND CAST(?1 AS BIGINT) >= 0 LIMIT ?2",
    },
    Rule {
        name: "a transfer moves more than nothing from one account to another",
        over: "SELECT COUNT(*) FROM transfers",
        broken: "SELECT id, amount FROM transfers WHERE (amount <= 0 OR (debit = credit \
                 AND (debit_id IS NULL OR debit_id = credit_id))) AND CAST(?1 AS BIGINT) >= 0 LIMIT ?2",
    },
    Rule {
        name: "an event has earned what its confirmed reservations cost",
        over: "SELECT COUNT(*) FROM reservations WHERE status = 'confirmed'",
        broken: "SELECT r.id, r.total FROM reservations r \
                 LEFT JOIN (SELECT reservation_id, CAST(SUM(amount) AS BIGINT) AS amount FROM transfers \
                   WHERE credit = 'sales' GROUP BY reservation_id) i ON i.reservation_id = r.id \
                 LEFT JOIN (SELECT reservation_id, CAST(SUM(amount) AS BIGINT) AS amount FROM transfers \
                   WHERE debit = 'sales' GROUP BY reservation_id) o ON o.reservation_id = r.id \
                 WHERE COALESCE(i.amount, 0) - COALESCE(o.amount, 0) <> \
                   CASE WHEN r.status = 'confirmed' THEN r.total ELSE 0 END AND CAST(?1 AS BIGINT) >= 0 LIMIT ?2",
    },
    Rule {
        name: "a reservation is paid by at most one payment that keeps its money",
        over: "SELECT COUNT(*) FROM payments",
        broken: "SELECT p.reservation_id, COUNT(*) FROM payments p \
                 JOIN reservations r ON r.id = p.reservation_id AND r.status = 'confirmed' \
                 AND r.tender = 'card' AND r.tender_id = p.id \
                 WHERE p.status = 'succeeded' AND p.refund IS NULL AND CAST(?1 AS BIGINT) >= 0 \
                 GROUP BY p.reservation_id HAVING COUNT(*) > 1 LIMIT ?2",
    },
    Rule {
        name: "a reservation paid by card has a payment that succeeded and was not given back",
        over: "SELECT COUNT(*) FROM reservations WHERE tender = 'card' AND status = 'confirmed'",
        broken: "SELECT r.id, r.total FROM reservations r LEFT JOIN payments p ON p.id = r.tender_id \
                 WHERE r.status = 'confirmed' AND r.tender = 'card' AND (p.id IS NULL OR p.status <> 'succeeded' \
                 OR p.refund IS NOT NULL OR p.amount <> r.total OR p.reservation_id <> r.id) AND CAST(?1 AS BIGINT) >= 0 LIMIT ?2",
    },
    Rule {
        name: "the gateway's account is what payments took less what went back",
        over: "SELECT COUNT(*) FROM payments WHERE status = 'succeeded'",
        broken: "SELECT p.id, p.amount FROM payments p \
                 LEFT JOIN (SELECT payment_id, CAST(SUM(amount) AS BIGINT) AS amount FROM transfers \
                   WHERE debit = 'gateway' GROUP BY payment_id) i ON i.payment_id = p.id \
                 LEFT JOIN (SELECT payment_id, CAST(SUM(amount) AS BIGINT) AS amount FROM transfers \
                   WHERE credit = 'gateway' GROUP BY payment_id) o ON o.payment_id = p.id \
                 WHERE COALESCE(i.amount, 0) - COALESCE(o.amount, 0) <> \
                   CASE WHEN p.status = 'succeeded' AND COALESCE(p.refund, '') <> 'done' THEN p.amount ELSE 0 END \
                 AND CAST(?1 AS BIGINT) >= 0 LIMIT ?2",
    },
    Rule {
        name: "a reservation and a wallet are of a user who is there",
        over: "SELECT (SELECT COUNT(*) FROM reservations) + (SELECT COUNT(*) FROM wallets)",
        broken: "SELECT own.id, own.what FROM (SELECT id, user_id, CAST(1 AS BIGINT) AS what FROM reservations \
                 UNION ALL SELECT user_id AS id, user_id, CAST(2 AS BIGINT) AS what FROM wallets) own \
                 LEFT JOIN users u ON u.id = own.user_id WHERE u.id IS NULL AND CAST(?1 AS BIGINT) >= 0 LIMIT ?2",
    },
    Rule {
        name: "an e-mail address belongs to a user",
        over: "SELECT COUNT(*) FROM emails",
        broken: "SELECT e.user_id, CAST(0 AS BIGINT) FROM emails e LEFT JOIN users u ON u.id = e.user_id \
                 WHERE u.id IS NULL AND CAST(?1 AS BIGINT) >= 0 LIMIT ?2",
    },
    Rule {
        name: "what waits for an event that was called off has a job that gives it back",
        over: "SELECT COUNT(*) FROM events WHERE status = 'cancelled'",
        broken: "SELECT DISTINCT r.event_id, CAST(0 AS BIGINT) FROM reservations r JOIN events e ON e.id = r.event_id \
                 WHERE e.status = 'cancelled' AND r.status = 'confirmed' AND NOT EXISTS \
                 (SELECT 1 FROM jobs j WHERE j.errand = 'sweep_event' AND j.subject = e.id) AND CAST(?1 AS BIGINT) >= 0 LIMIT ?2",
    },
    Rule {
        name: "a movie ticket is issued, or canceled once and not before",
        over: "SELECT COUNT(*) FROM movie_tickets",
        broken: "SELECT id, price FROM movie_tickets WHERE (price <= 0 OR price > 1000000 \
                 OR (status = 'issued' AND (canceled_at IS NOT NULL OR reason IS NOT NULL)) \
                 OR (status = 'canceled' AND (canceled_at IS NULL OR canceled_at < issued_at)) \
                 OR status NOT IN ('issued', 'canceled')) AND CAST(?1 AS BIGINT) >= 0 LIMIT ?2",
    },
    Rule {
        name: "a message that is not sent has a job that sends it",
        over: "SELECT COUNT(*) FROM messages",
        broken: "SELECT m.id, m.created_at FROM messages m \
                 LEFT JOIN jobs j ON j.subject = m.batch AND j.errand = 'send_messages' \
                 WHERE m.status = 'queued' AND j.id IS NULL AND CAST(?1 AS BIGINT) >= 0 LIMIT ?2",
    },
    Rule {
        name: "what waits to be told to a webhook follows something that waits, or has a job",
        over: "SELECT COUNT(*) FROM deliveries",
        broken: "SELECT d.id, d.made_at FROM deliveries d LEFT JOIN deliveries p ON p.next_id = d.id \
                 LEFT JOIN jobs j ON j.subject = d.id AND j.errand = 'deliver_webhook' \
                 WHERE d.status = 'waiting' AND p.id IS NULL AND j.id IS NULL \
                 AND CAST(?1 AS BIGINT) >= 0 LIMIT ?2",
    },
    Rule {
        name: "every reservation's making is in the event stream before what became of it",
        over: "SELECT COUNT(*) FROM outbox",
        broken: "SELECT later.subject, later.position FROM outbox later JOIN outbox held \
                 ON held.subject = later.subject AND held.fact = 'held' AND held.position > later.position \
                 WHERE later.fact IN ('confirmed', 'cancelled', 'expired') AND CAST(?1 AS BIGINT) >= 0 LIMIT ?2",
    },
    Rule {
        name: "a lane counts as many places as there are",
        over: "SELECT COUNT(*) FROM room_lanes",
        broken: "SELECT l.id, l.waiting FROM room_lanes l LEFT JOIN (SELECT lane_id, \
                   SUM(CASE WHEN status = 'waiting' THEN 1 ELSE 0 END) AS waiting, \
                   SUM(CASE WHEN status = 'inside' THEN 1 ELSE 0 END) AS inside, \
                   SUM(CASE WHEN status = 'used' THEN 1 ELSE 0 END) AS used \
                   FROM room_places GROUP BY lane_id) p ON p.lane_id = l.id \
                 WHERE (l.waiting <> COALESCE(p.waiting, 0) OR l.inside <> COALESCE(p.inside, 0) \
                 OR l.used <> COALESCE(p.used, 0)) AND CAST(?1 AS BIGINT) >= 0 LIMIT ?2",
    },
    Rule {
        name: "a lane lets in no more than its policy says",
        over: "SELECT COUNT(*) FROM room_lanes",
        broken: "SELECT id, inside FROM room_lanes WHERE inside > capacity AND CAST(?1 AS BIGINT) >= 0 LIMIT ?2",
    },
    Rule {
        name: "nobody waits before the head of a lane or behind its end",
        over: "SELECT COUNT(*) FROM room_places WHERE status = 'waiting'",
        broken: "SELECT p.place_id, p.number FROM room_places p LEFT JOIN room_lanes l ON l.id = p.lane_id \
                 WHERE (l.id IS NULL OR p.number >= l.next_number OR (p.status = 'waiting' AND p.number < l.head_number)) \
                 AND CAST(?1 AS BIGINT) >= 0 LIMIT ?2",
    },
    Rule {
        name: "a live place is the one its person is found by",
        over: "SELECT COUNT(*) FROM room_waiters",
        broken: "SELECT p.place_id, p.number FROM room_places p LEFT JOIN room_waiters w \
                 ON w.lane_id = p.lane_id AND w.user_id = p.user_id AND w.number = p.number \
                 WHERE p.status IN ('waiting', 'inside', 'used') AND w.number IS NULL AND CAST(?1 AS BIGINT) >= 0 LIMIT ?2",
    },
    Rule {
        name: "a person is found by a place of its own",
        over: "SELECT COUNT(*) FROM room_waiters",
        broken: "SELECT w.user_id, w.number FROM room_waiters w LEFT JOIN room_places p \
                 ON p.lane_id = w.lane_id AND p.number = w.number \
                 WHERE (p.number IS NULL OR p.user_id <> w.user_id) AND CAST(?1 AS BIGINT) >= 0 LIMIT ?2",
    },
];

impl Desk {
    /// Audits every invariant, naming at most `limit` rows that break each.
    ///
    /// # Errors
    /// Where the store cannot be reached.
    pub async fn check(&self, limit: i64) -> Result<CheckReport, Unavailable> {
        let mut checks = Vec::with_capacity(RULES.len());
        for rule in RULES {
            let over = self.0.reads.number(rule.over, Vec::new()).await?;
            let params = vec![self.now().0.value(), limit.value()];
            let rows = self.0.reads.query(rule.broken, params, &[Kind::Bytes, Kind::Int]).await?;
            let broken = rows.into_iter().map(broken).collect::<Result<_, _>>()?;
            checks.push((rule.name, over, broken));
        }
        Ok(CheckReport { checks })
    }
}

fn broken(row: Vec<Value>) -> Result<String, Unavailable> {
    let mut columns = Columns::new(row);
    let id: u128 = columns.id()?;
    Ok(format!("{id:032x}: {}", columns.int()?))
}

/// All texts of the audit, for the test that prepares every statement.
#[cfg(test)]
pub(crate) fn texts() -> Vec<String> {
    RULES.iter().flat_map(|rule| [rule.over.to_owned(), rule.broken.to_owned()]).collect()
}

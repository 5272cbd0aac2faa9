//! Sales through the house dialect, on a real store: from hold to door, in the sandbox and at a stand-in for Stripe.

mod bookings;
mod client;
mod follow;
mod sandbox;
mod stage;
mod stand_in;
mod stripe;
mod tickets;

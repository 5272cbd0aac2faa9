//! The layouts of seats that events have.
//!
//! A layout may have 200,000 rows and does not change, so what is told of each is written once: a request costs what its
//! answer is long.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use engine::catalogue::Layout;
use http::header::CONTENT_TYPE;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::errors::{ApiError, ReadProblems};
use super::wire::{LayoutBody, SectionBody};
use crate::fault::Fault;
use crate::ids;
use crate::state::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default().routes(routes!(layouts))
}

/// The layouts there are.
#[derive(Serialize, utoipa::ToSchema)]
struct Layouts {
    layouts: Vec<KnownLayout>,
}

/// A layout that some event has.
#[derive(Serialize, utoipa::ToSchema)]
struct KnownLayout {
    #[schema(format = "uuid")]
    id: String,
    name: String,
    description: String,
    total_seats: u32,
    layout_config: LayoutConfig,
}

/// How a layout is made.
#[derive(Serialize, utoipa::ToSchema)]
struct LayoutConfig {
    sections: Vec<SectionBody>,
}

impl KnownLayout {
    fn new(layout: &Layout) -> Self {
        let sections = LayoutBody::new(layout).sections;
        let mut names: Vec<&str> = layout.rows().iter().map(|row| row.section.as_str()).collect();
        names.dedup();
        Self {
            id: layout_id(layout),
            name: format!("{}석 ({})", layout.total(), names.join(", ")),
            description: format!("{}개 구역, {}열, {}석", names.len(), layout.rows().len(), layout.total()),
            total_seats: layout.total(),
            layout_config: LayoutConfig { sections },
        }
    }
}

/// The same rows have the same id, on every server and after every start (RFC 9562, 5.8).
fn layout_id(layout: &Layout) -> String {
    let mut digest = Sha256::new();
    for row in layout.rows() {
        // Lengths first, so that no two layouts read the same.
        digest.update(format!("{:?}", (&row.section, &row.label, row.price.0, &row.numbers)));
    }
    let bytes: [u8; 32] = digest.finalize().into();
    let (head, _) = bytes.split_first_chunk::<16>().expect("a digest has 32 bytes");
    let id = u128::from_be_bytes(*head) & !(0xf << 76) & !(0b11 << 62) | 0x8 << 76 | 0b10 << 62;
    ids::uuid(id)
}

/// What is told of the layouts that the desk keeps: of those, in its order, and of no others.
#[derive(Default)]
pub struct LayoutTexts(Arc<Mutex<Vec<WordedLayout>>>);

/// A layout, and its [`KnownLayout`] as JSON.
struct WordedLayout {
    layout: Arc<Layout>,
    id: String,
    text: String,
}

impl WordedLayout {
    fn new(layout: Arc<Layout>) -> Self {
        let known = KnownLayout::new(&layout);
        let text = serde_json::to_string(&known).expect("strings and numbers are JSON");
        Self { layout, id: known.id, text }
    }
}

impl LayoutTexts {
    /// [`Layouts`] as JSON, the smallest first.
    async fn page(&self, layouts: Vec<Arc<Layout>>) -> Result<Bytes, ApiError> {
        // Whoever comes first writes, the others wait for it instead of writing the same.
        let mut told = self.0.clone().lock_owned().await;
        let same = told.iter().zip(&layouts).take_while(|(own, layout)| Arc::ptr_eq(&own.layout, layout)).count();
        if same == layouts.len() {
            // Somebody who looked a moment later may have had more written already.
            return Ok(page(&told[..same]));
        }
        // Takes long where there are many rows. It is done and kept even if nobody waits for it any more.
        let write = move || {
            told.truncate(same);
            told.extend(layouts.into_iter().skip(same).map(WordedLayout::new));
            page(&told)
        };
        Ok(tokio::task::spawn_blocking(write).await.map_err(|_| Fault::Unavailable)?)
    }
}

fn page(told: &[WordedLayout]) -> Bytes {
    let mut sorted: Vec<&WordedLayout> = told.iter().collect();
    sorted.sort_by(|a, b| a.layout.total().cmp(&b.layout.total()).then_with(|| a.id.cmp(&b.id)));
    let texts: Vec<&str> = sorted.into_iter().map(|own| own.text.as_str()).collect();
    format!("{{\"layouts\":[{}]}}", texts.join(",")).into()
}

/// The layouts of seats that events have, the smallest first.
#[utoipa::path(
    get, path = "/api/v1/seats/layouts", operation_id = "list_layouts",
    responses((status = 200, description = "The layouts", body = Layouts), ReadProblems)
)]
async fn layouts(State(state): State<AppState>) -> Result<Response, ApiError> {
    let page = state.layouts.page(state.desk.layouts().await?).await?;
    Ok(([(CONTENT_TYPE, "application/json")], page).into_response())
}

#[cfg(test)]
mod tests {
    use engine::catalogue::layout::section;
    use engine::money::Won;

    use super::*;

    fn layout(seats: u32, price: i64) -> Arc<Layout> {
        Arc::new(Layout::new(section("A", seats, 2, Won(price)).collect()).expect("a layout"))
    }

    #[test]
    fn the_same_rows_have_the_same_id_and_others_have_not() {
        assert_eq!(layout_id(&layout(3, 5)), layout_id(&layout(3, 5)));
        assert_ne!(layout_id(&layout(3, 5)), layout_id(&layout(3, 6)));
        assert!(ids::parse_uuid(&layout_id(&layout(3, 5))).is_some());
    }

    #[tokio::test]
    async fn a_layout_is_written_once_and_what_the_desk_dropped_is_gone() {
        let texts = LayoutTexts::default();
        let (large, small, other) = (layout(5, 1), layout(3, 1), layout(4, 1));
        for (known, expected) in [
            (vec![], vec![]),
            (vec![large.clone()], vec![&large]),
            (vec![large.clone(), small.clone()], vec![&small, &large]),
            // Looked before the last one did.
            (vec![large.clone()], vec![&large]),
            // All was read anew.
            (vec![other.clone()], vec![&other]),
            (vec![], vec![]),
        ] {
            let expected: Vec<KnownLayout> = expected.into_iter().map(|own| KnownLayout::new(own)).collect();
            let page = texts.page(known).await.expect("a page");
            assert_eq!(page, serde_json::to_vec(&Layouts { layouts: expected }).expect("JSON"));
        }
        let at = |told: &[WordedLayout]| told[0].text.as_ptr();
        let first = at(&texts.0.lock().await);
        texts.page(vec![other, small]).await.expect("a page");
        let told = texts.0.lock().await;
        assert!(told.len() == 2 && at(&told) == first, "what was written stays");
    }
}

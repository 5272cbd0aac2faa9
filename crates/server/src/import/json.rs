//! Events in JSON: an array, or one after the other. One event is in memory at a time.

use std::io::{BufRead, Bytes};

use api::body::numbers::kept_apart;

use super::draft::{Draft, Fault, Place, Written};

/// The most bytes one event may take.
const MOST: usize = 64 << 20;

/// The events of a JSON file, in order; it ends at the first place that is no JSON.
pub fn drafts<R: BufRead>(reader: R) -> impl Iterator<Item = Result<Draft, Vec<Fault>>> {
    let pieces = Pieces { bytes: reader.bytes(), line: 1, open: false, closed: false, failed: false };
    pieces.map(|piece| piece.and_then(read).map_err(|fault| vec![fault]))
}

fn read(place: Place) -> Result<Draft, Fault> {
    match written(&place.text) {
        Ok(written) => written.draft(Vec::new(), place),
        Err(error) => {
            let path = error.path().to_string();
            let (inner, path) = (error.inner(), path.trim_start_matches('.'));
            let text = inner.to_string();
            let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
            let line = place.line + (inner.line() as u64).saturating_sub(1);
            let issue = if path.is_empty() { text.to_owned() } else { format!("{path}: {text}") };
            Err(Fault { line, issue })
        }
    }
}

fn written(text: &[u8]) -> Result<Written, serde_path_to_error::Error<serde_json::Error>> {
    // Else a price that is almost whole would be read as a whole one.
    let text = kept_apart(text);
    let mut json = serde_json::Deserializer::from_slice(&text);
    serde_path_to_error::deserialize(&mut json)
}

/// Cuts a file into its objects, and knows the line each starts in.
struct Pieces<R> {
    bytes: Bytes<R>,
    line: u64,
    open: bool,
    closed: bool,
    failed: bool,
}

impl<R: BufRead> Iterator for Pieces<R> {
    type Item = Result<Place, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let piece = self.start().and_then(|start| start.map(|()| self.object()).transpose());
        self.failed = piece.is_err();
        piece.transpose()
    }
}

impl<R: BufRead> Pieces<R> {
    fn byte(&mut self) -> Result<Option<u8>, Fault> {
        let byte = self.bytes.next().transpose().map_err(|error| self.stop(&error.to_string()))?;
        self.line += u64::from(byte == Some(b'\n'));
        Ok(byte)
    }

    fn fault(&self, issue: &str) -> Fault {
        Fault { line: self.line, issue: issue.to_owned() }
    }

    /// A fault behind which nobody can tell where the next event begins.
    fn stop(&self, issue: &str) -> Fault {
        self.fault(&format!("{issue}; nothing after it was read"))
    }

    /// Goes to the next `{`; `None` at a proper end.
    fn start(&mut self) -> Result<Option<()>, Fault> {
        loop {
            match self.byte()? {
                Some(b' ' | b'\t' | b'\r' | b'\n') => {}
                // The mark some programs put before UTF-8.
                Some(0xef | 0xbb | 0xbf) if self.line == 1 && !self.open => {}
                Some(b',') if self.open && !self.closed => {}
                Some(b'[') if !self.open && !self.closed => self.open = true,
                Some(b']') if self.open && !self.closed => self.closed = true,
                Some(b'{') if !self.closed => return Ok(Some(())),
                None if self.open && !self.closed => return Err(self.fault("the file ends inside the array")),
                None => return Ok(None),
                Some(byte) => return Err(self.stop(&format!("expected an event, got {:?}", char::from(byte)))),
            }
        }
    }

    /// The rest of an object whose `{` has been read.
    fn object(&mut self) -> Result<Place, Fault> {
        let mut place = Place { line: self.line, text: vec![b'{'] };
        let (mut depth, mut quoted, mut escaped) = (1, false, false);
        while depth > 0 {
            let Some(byte) = self.byte()? else { return Err(self.fault("the file ends inside an event")) };
            if place.text.len() >= MOST {
                return Err(self.stop("an event is longer than 64 MiB"));
            }
            place.text.push(byte);
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                b'{' | b'[' if !quoted => depth += 1,
                b'}' | b']' if !quoted => depth -= 1,
                _ => {}
            }
        }
        Ok(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &str = r#""category":"concert","venue":"v","location":"l",
        "start_date":"2027-03-01T19:30:00+09:00","end_date":"2027-03-01T12:30:00Z""#;

    fn event(more: &str) -> String {
        format!("{{\"title\":\"a \\\"}}] b\",{FIELDS}{more}}}")
    }

    fn all(text: &str) -> Vec<Result<Draft, Vec<Fault>>> {
        drafts(text.as_bytes()).collect()
    }

    fn fault(text: &str) -> String {
        let fault = all(text).into_iter().find_map(Result::err).expect("a fault");
        fault[0].to_string()
    }

    #[test]
    fn an_array_and_lines_give_the_same_events() {
        let one = event(r#","seating":{"sections":[{"name":"A","rows":2,"seats_per_row":3,"price":5.0}]}"#);
        let two = event(r#","ticket_types":[{"name":"t","price":7,"quantity":9}],"status":"published""#);
        let array = all(&format!("[\n{one},\n{two}\n]\n"));
        let lines = all(&format!("\n{one}\n{two}\n"));
        assert_eq!(array, lines);
        let drafts: Vec<Draft> = array.into_iter().map(|draft| draft.expect("valid")).collect();
        assert_eq!(drafts[0].billing.title, "a \"}] b");
        assert_eq!((drafts[0].offer.rows.len(), drafts[1].offer.types[0].quantity), (2, 9));
        assert_eq!((drafts[0].publish, drafts[1].publish), (false, true));
        assert_eq!(drafts[0].billing.starts_at.seconds(), 1_803_897_000);
    }

    #[test]
    fn a_fault_names_its_line_and_field_and_the_others_go_on() {
        let bad =
            event(",\n\"seating\":{\"sections\":[{\"name\":\"A\",\"rows\":2,\n\"seats_per_row\":3,\"price\":-5}]}");
        let text = format!("[\n{bad},\n{}]", event(""));
        let found = all(&text);
        let fault = found[0].as_ref().expect_err("a fault")[0].to_string();
        let expected = "line 5: seating.sections[0].price: invalid value: integer `-5`, expected whole won";
        assert!(fault.starts_with(expected), "{fault}");
        assert!(found[1].is_ok());
    }

    #[test]
    fn a_fault_of_a_value_names_the_line_of_that_value() {
        let sections = |more: &str| {
            let first = "{\"name\":\"A\",\"rows\":2,\"seats_per_row\":3,\"price\":5}";
            event(&format!(",\n\"seating\":{{\"sections\":[\n{first},\n{more}]}}"))
        };
        let second = |name: &str, rows: u32, seats: u32| {
            let own = format!("{{\"name\":\"{name}\",\n\"rows\":{rows},\n\"seats_per_row\":{seats},\"price\":5}}");
            fault(&sections(&own))
        };
        let at = "seating.sections[1]";
        assert_eq!(second("A", 1, 1), format!("line 5: {at}.name: section A is there twice"));
        assert_eq!(second(" ", 1, 1), format!("line 5: {at}.name: must have 1 to 50 characters"));
        assert_eq!(second("B", 0, 1), format!("line 6: {at}.rows: must be 1 to 200000"));
        assert_eq!(second("B", 1, 200_001), format!("line 7: {at}.seats_per_row: must be 1 to 200000"));
        assert_eq!(second("B", 2, 100_000), format!("line 5: {at}: an event has at most 200000 seats"));

        let types = |name: &str, quantity: u32| {
            let first = "{\"name\":\"t\",\"price\":1,\"quantity\":1}";
            let own = format!("{{\"name\":\"{name}\",\n\"quantity\":{quantity},\"price\":5}}");
            fault(&event(&format!(",\n\"ticket_types\":[{first},\n{own}]")))
        };
        assert_eq!(types("u", 0), "line 5: ticket_types[1].quantity: must be 1 to 1,000,000");
        assert_eq!(types("", 1), "line 4: ticket_types[1].name: must have 1 to 100 characters");
        let many = ["{\"name\":\"t\",\"price\":1,\"quantity\":1}"; 51].join(",\n");
        let many = fault(&event(&format!(",\"ticket_types\":[{many}]")));
        assert_eq!(many, "line 52: ticket_types[50]: an event has at most 50 ticket types");
        assert_eq!(fault(&event(",\n\"total_seats\":200001")), "line 3: total_seats: must be 1 to 200000");
    }

    #[test]
    fn what_is_almost_whole_is_not_whole() {
        for field in ["min_price", "max_price"] {
            let text = event(&format!(",\n\"{field}\":5.00000000000000000001"));
            assert!(fault(&text).starts_with(&format!("line 3: {field}: invalid value: ")), "{}", fault(&text));
        }
    }

    #[test]
    fn null_is_as_good_as_absent_and_one_price_stands_for_both() {
        let nulls =
            event(",\"tags\":null,\"ticket_types\":null,\"seating\":null,\"description\":null,\"min_price\":null");
        let read = |text: &str| {
            let Draft { billing, offer, .. } = all(text).remove(0).expect("valid");
            (billing, offer)
        };
        assert_eq!(read(&nulls), read(&event("")));
        for field in ["min_price", "max_price"] {
            let found = all(&event(&format!(",\"{field}\":7")));
            let prices = found[0].as_ref().expect("valid").offer.prices;
            assert_eq!(prices.map(|(lowest, highest)| (lowest.0, highest.0)), Some((7, 7)), "{field}");
        }
    }

    #[test]
    fn whoever_reads_no_further_says_so() {
        let one = event("");
        let found = all(&format!("{one}\n[1, 2]\n{one}\n"));
        let fault = found[1].as_ref().expect_err("a fault")[0].to_string();
        assert_eq!(fault, "line 3: expected an event, got '1'; nothing after it was read");
        assert_eq!((found[0].is_ok(), found.len()), (true, 2));
    }

    #[test]
    fn what_cannot_be_read_is_a_fault() {
        assert!(fault(&event(",\n\"seats\":1")).starts_with("line 3: seats: unknown field"));
        assert!(fault(&event(",\n\"max_per_user\":\"x\"")).starts_with("line 3: max_per_user: invalid type"));
        assert!(fault(&event("").replace("2027-03-01T12:30:00Z", "tomorrow")).starts_with("line 2: end_date: "));
        assert!(fault(&event(",\n\"min_price\":0.5")).starts_with("line 3: min_price: "));
        assert!(
            fault(&event(
                ",\"seating\":{\"sections\":[{\"name\":\"A\",\"rows\":4000000000,\"seats_per_row\":9,\"price\":1}]}"
            ))
            .contains("seating.sections[0].rows: ")
        );
        assert_eq!(fault("[{\"title\":\n"), "line 2: the file ends inside an event");
        assert_eq!(fault(&format!("[{}", event(""))), "line 2: the file ends inside the array");
        assert_eq!(fault("title,venue"), "line 1: expected an event, got 't'; nothing after it was read");
    }

    #[test]
    fn a_refused_field_is_looked_up_in_the_text() {
        let place = Place { line: 10, text: b"{\"title\":\"\",\n\"tags\":[]}".to_vec() };
        assert_eq!(place.fault("tags", "too many").to_string(), "line 11: tags: too many");
        assert_eq!(place.fault("total_seats", "absent").to_string(), "line 10: total_seats: absent");
        let place = Place { line: 1, text: b"{\"title\":\"location\",\n\"location\":\"\"}".to_vec() };
        assert_eq!(place.fault("location", "empty").to_string(), "line 2: location: empty");
    }
}

//! Bytes of a list to [`List`], with every mistake found on the way. What can be judged by the list alone is
//! judged here; what needs the station or other lists is `domain::station`'s.

use std::sync::Arc;

use unicode_normalization::UnicodeNormalization;

use crate::domain::cron::{Cron, CronError, Recurrence};
use crate::domain::document::{self, Value};
use crate::domain::fields::{self, Fields, Held, Ids, Notes, is_inside, nearest, read_id};
use crate::domain::findings::{Finding, Reading};
use crate::domain::playlist::{
    At, Campaign, Clip, ClipKind, Dates, Emergency, Group, Item, LOCAL, List, Offer, Priority, Ref, Rotation, Skip,
    Slot, SlotKind, Span, SpecialDay, Start, Topic, What, When, Withdrawal, Withdrawn,
};
use crate::domain::text::Text;
use crate::domain::time::{DAY_MS, Days, HOUR_MS, MINUTE_MS, SECOND_MS, Wall, Zone};

/// Which of the three forms of a list is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `local.toml`
    Local,
    /// `playlist.toml`, by the editor's hand.
    Handwritten,
    /// `playlist.json`, by `loaxa publish`.
    Published,
}

/// The longest life of a published list (rule R12).
pub const LONGEST_LIFE_MS: i64 = 100 * DAY_MS;

const PRIORITIES: &[(&[&str], Priority)] = &[
    (&["emergency", "khan_cap"], Priority::Emergency),
    (&["priority", "uu_tien"], Priority::Priority),
    (&["normal", "thong_thuong"], Priority::Normal),
];

const KINDS: &[(&[&str], ClipKind)] = &[
    (&["nhac_hieu"], ClipKind::NhacHieu),
    (&["loi_xuong"], ClipKind::LoiXuong),
    (&["nhac_cat"], ClipKind::NhacCat),
    (&["nhac_ket"], ClipKind::NhacKet),
    (&["ban_tin"], ClipKind::BanTin),
    (&["thong_bao"], ClipKind::ThongBao),
    (&["chuyen_muc"], ClipKind::ChuyenMuc),
    (&["thong_diep"], ClipKind::ThongDiep),
    (&["ca_khuc"], ClipKind::CaKhuc),
];

/// Reads a list. The value is there when no error stands; warnings go with it.
pub fn read_list(bytes: &[u8], form: Form) -> Reading<List> {
    let text = match document::decode(bytes) {
        Ok(text) => text,
        Err(finding) => return Reading::settle(None, vec![*finding]),
    };
    let (root, form_findings) = match form {
        Form::Published => document::read_json(text),
        Form::Local | Form::Handwritten => document::read_toml(text),
    };
    let broken = form_findings.len();
    let mut notes = Notes::new(text, form_findings);
    let Value::Table(table) = &root.value else {
        notes.push(Finding::error("wrong_type", root.span.clone(), Text::WantObject {}));
        return Reading::settle(None, notes.list);
    };
    let mut reader = Reader { form, list: List::default(), declared: Declared::default(), notes };
    reader.list(Fields::new(table, 0..0, ""));
    if reader.notes.is_closed(broken) {
        reader.references();
    }
    Reading::settle(Some(reader.list), reader.notes.settled(broken))
}

/// The ids of a list, of entries that were refused as well: one mistake is not to bring others.
#[derive(Default)]
struct Declared {
    campaigns: Ids,
    clips: Ids,
    rotations: Ids,
    offers: Ids,
    slots: Ids,
    emergencies: Ids,
}

struct Reader {
    form: Form,
    list: List,
    declared: Declared,
    notes: Notes,
}

impl Reader {
    fn list(&mut self, mut top: Fields<'_>) {
        let published = self.form == Form::Published;
        self.source(&mut top);
        self.publication(&mut top);
        self.list.stations = names(&mut top, "stations", &mut self.notes);
        self.groups(&mut top);

        let mut ids = Ids::default();
        for fields in top.tables("campaigns", "[[campaigns]]", &mut self.notes) {
            if let Some(campaign) = self.campaign(fields, &mut ids) {
                self.list.campaigns.push(campaign);
            }
        }
        self.declared.campaigns = ids;
        let mut ids = Ids::default();
        for fields in top.tables("clips", "[[clips]]", &mut self.notes) {
            if let Some(clip) = self.clip(fields, &mut ids, published) {
                self.list.clips.push(clip);
            }
        }
        self.declared.clips = ids;
        let mut ids = Ids::default();
        for fields in top.tables("rotations", "[[rotations]]", &mut self.notes) {
            if let Some(rotation) = self.rotation(fields, &mut ids) {
                self.list.rotations.push(rotation);
            }
        }
        self.declared.rotations = ids;
        let mut ids = Ids::default();
        for fields in top.tables("offers", "[[offers]]", &mut self.notes) {
            if let Some(offer) = self.offer(fields, &mut ids) {
                self.list.offers.push(offer);
            }
        }
        self.declared.offers = ids;
        let mut ids = Ids::default();
        for fields in top.tables("slots", "[[slots]]", &mut self.notes) {
            if let Some(slot) = self.slot(fields, &mut ids) {
                self.list.slots.push(slot);
            }
        }
        self.declared.slots = ids;
        for fields in top.tables("special_days", "[[special_days]]", &mut self.notes) {
            if let Some(day) = self.special_day(fields) {
                self.list.special_days.push(day);
            }
        }
        for fields in top.tables("withdrawals", "[[withdrawals]]", &mut self.notes) {
            if let Some(withdrawal) = self.withdrawal(fields) {
                self.list.withdrawals.push(withdrawal);
            }
        }
        let mut ids = Ids::default();
        for fields in top.tables("emergencies", "[[emergencies]]", &mut self.notes) {
            if let Some(emergency) = self.emergency(fields, &mut ids) {
                self.list.emergencies.push(emergency);
            }
        }
        self.declared.emergencies = ids;
        top.close(&mut self.notes);
    }

    fn source(&mut self, top: &mut Fields<'_>) {
        let held = match self.form {
            Form::Local => {
                if let Some(span) = top.key_span("source") {
                    top.get("source");
                    self.notes.push(Finding::error("not_here", span, Text::SourceInLocal {}).hint(Text::RemoveLine {}));
                }
                return;
            }
            Form::Handwritten | Form::Published => top.need_text("source", "source = \"tinh\"", &mut self.notes),
        };
        let Some((text, span)) = held else { return };
        if text == LOCAL {
            self.notes.push(Finding::error("bad_id", span, Text::LocalIsTaken {}));
            return;
        }
        self.list.source = read_id(text, &span, &mut self.notes);
    }

    /// What `loaxa publish` writes on top.
    fn publication(&mut self, top: &mut Fields<'_>) {
        if self.form != Form::Published {
            for key in ["format", "serial", "issued_at", "expires_at", "urgent"] {
                if let Some(held) = top.get(key) {
                    let text = Text::PublishWrites { key: key.into() };
                    self.notes.push(Finding::warning("not_here", held.span(), text).hint(Text::RemoveLine {}));
                }
            }
            return;
        }
        let notes = &mut self.notes;
        if let Some(held) = top.need("format", "\"format\": 1")
            && let Some(format) = held.whole(0, i64::MAX, notes)
        {
            if format != 1 {
                let text = Text::FormatUnknown { format };
                notes.push(Finding::error("format", held.span(), text).hint(Text::UpdateLoaxa {}));
            }
            self.list.format = Some(format.unsigned_abs());
        }
        self.list.urgent = top.flag("urgent", false, notes);
        let serial = top.need_whole("serial", 1, i64::MAX, "\"serial\": 1", notes);
        self.list.serial = serial.map(i64::unsigned_abs);
        let issued = top.need("issued_at", "\"issued_at\": \"2022-09-28T14:05:00+07:00\"");
        self.list.issued_at = issued.and_then(|h| h.moment(notes));
        let expires = top.need("expires_at", "\"expires_at\": \"2022-10-29T14:05:00+07:00\"");
        self.list.expires_at = expires.and_then(|h| h.moment(notes));
        if let (Some(issued), Some(until), Some(held)) = (self.list.issued_at, self.list.expires_at, expires) {
            if until <= issued {
                notes.push(Finding::error("bad_life", held.span(), Text::ExpiresBeforeIssued {}));
            } else if until - issued > LONGEST_LIFE_MS {
                let text = Text::LifeTooLong { days: (until - issued) / DAY_MS, limit: LONGEST_LIFE_MS / DAY_MS };
                notes.push(Finding::error("bad_life", held.span(), text).hint(Text::ShorterLife {}));
            }
        }
    }

    fn groups(&mut self, top: &mut Fields<'_>) {
        let example = "groups = { \"ven-bien\" = [\"xa-hai-an\", \"xa-hai-ha\"] }";
        let Some(table) = top.free_table("groups", example, &mut self.notes) else { return };
        for entry in &table.entries {
            let held = Held { key: "groups", node: &entry.node };
            let Some(name) = read_id(&entry.key, &entry.key_span, &mut self.notes) else { continue };
            let notes = &mut self.notes;
            let stations = held
                .each()
                .filter_map(|one| {
                    let (t, span) = one.text(notes)?;
                    read_id(t, &span, notes).map(|id| id.to_string())
                })
                .collect();
            self.list.groups.push(Group { name: name.to_string(), stations });
        }
    }

    fn campaign(&mut self, mut f: Fields<'_>, ids: &mut Ids) -> Option<Campaign> {
        let notes = &mut self.notes;
        let id = f.id("id = \"cds-2022\"", notes);
        if let Some((id, span)) = &id {
            ids.take(id, span, notes);
        }
        let title = f.need_text("title", "title = \"...\"", notes).map(|(t, _)| composed(t));
        let doc_number = f.text("doc_number", notes).map(|(t, _)| composed(t));
        let doc_date = f.date("doc_date", notes);
        let from = f.date("from", notes);
        let to = f.get("to");
        let to_date = to.and_then(|h| h.date(notes));
        if let (Some(from), Some(until), Some(held)) = (from, to_date, to)
            && until < from
        {
            let text = Text::ToBeforeFrom { from: from.to_string(), to: until.to_string() };
            notes.push(Finding::error("never_fires", held.span(), text).hint(Text::SwapFromTo {}));
        }
        let min_per_day = f.whole("min_per_day", 1, 1000, notes).map(small);
        let mut topic_ids = Ids::default();
        let mut topics = Vec::new();
        for mut topic in f.tables("topics", "topics = [{ id = \"CD1\", title = \"...\" }]", notes) {
            let id = topic.id("id = \"CD1\"", notes);
            if let Some((id, span)) = &id {
                topic_ids.take(id, span, notes);
            }
            let title = topic.need_text("title", "title = \"...\"", notes).map(|(t, _)| composed(t));
            let min_per_day = topic.whole("min_per_day", 1, 1000, notes).map(small);
            topic.close(notes);
            if let (Some((id, span)), Some(title)) = (id, title) {
                topics.push(Topic { id, title, min_per_day, span });
            }
        }
        f.close(notes);
        let (id, span) = id?;
        Some(Campaign {
            title: title.unwrap_or_else(|| id.to_string()),
            id,
            doc_number,
            doc_date,
            from,
            to: to_date,
            min_per_day,
            topics,
            span,
        })
    }

    fn clip(&mut self, mut f: Fields<'_>, ids: &mut Ids, published: bool) -> Option<Clip> {
        let notes = &mut self.notes;
        let header = f.span.clone();
        let id = f.id("id = \"cd1\"", notes);
        if let Some((id, span)) = &id {
            ids.take(id, span, notes);
        }
        let file = if published { f.text("file", notes) } else { f.need_text("file", "file = \"cd1.mp3\"", notes) };
        let url = if published { f.need_text("url", "\"url\": \"clips/...\"", notes) } else { f.text("url", notes) };
        for (path, span) in [&file, &url].into_iter().flatten() {
            if !is_inside(path) {
                let hint = match path.rsplit(['/', '\\']).next() {
                    Some(name) if is_inside(name) && !published => {
                        Text::MoveFile { line: format!("file = \"{name}\""), name: name.to_owned() }
                    }
                    _ => Text::PathForm {},
                };
                let shown = path.chars().map(|c| if c.is_control() { '?' } else { c }).take(80).collect();
                notes.push(Finding::error("bad_path", span.clone(), Text::BadPath { path: shown }).hint(hint));
            }
        }
        let hash =
            if published { f.need_text("sha256", "\"sha256\": \"...\"", notes) } else { f.text("sha256", notes) };
        let sha256 = hash.and_then(|(text, span)| {
            let hex = text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
            if !hex {
                notes.push(Finding::error("bad_hash", span, Text::BadHash {}));
            }
            hex.then(|| Arc::from(text.to_ascii_lowercase()))
        });
        let most = 1 << 40;
        let bytes = if published {
            f.need_whole("bytes", 1, most, "\"bytes\": 1", notes)
        } else {
            f.whole("bytes", 1, most, notes)
        };
        let longest = 24 * HOUR_MS;
        let duration_ms = if published {
            f.need_whole("duration_ms", 1, longest, "\"duration_ms\": 1", notes)
        } else {
            f.whole("duration_ms", 1, longest, notes)
        };
        let title = f.need_text("title", "title = \"...\"", notes).map(|(t, _)| composed(t));
        f.need("kind", "kind = \"ban_tin\"");
        let kind = f.choice("kind", KINDS, notes);
        let campaign = f.get("campaign").and_then(|h| h.reference(notes));
        let mut topic = f.get("topic").and_then(|h| h.reference(notes));
        match (&campaign, &mut topic) {
            // A topic belongs to its campaign, so a plain one is that campaign's.
            (Some(campaign), Some(topic)) if topic.source.is_none() => topic.source = campaign.source.clone(),
            (None, Some(topic)) if !f.has("campaign") => {
                let text = Text::TopicAlone { topic: topic.id.to_string() };
                notes.push(
                    Finding::error("missing_key", topic.span.clone(), text)
                        .hint(Text::AddLine { line: "campaign = \"...\"".into() }),
                );
            }
            _ => {}
        }
        let priority = f.choice("priority", PRIORITIES, notes).unwrap_or_default();
        let approved_by = f.text("approved_by", notes).map(|(t, _)| Arc::from(composed(t)));
        let approved_at = f.get("approved_at").and_then(|h| h.date_or_moment(notes)).map(Arc::from);
        let approved_doc = f.text("approved_doc", notes).map(|(t, _)| composed(t));
        let gain_db = f.gain(notes);
        let wrote_approval = (f.has("approved_by"), f.has("approved_at"));
        f.close(notes);
        let (id, span) = id?;
        let clip = Clip {
            title: title.map_or_else(|| id.clone(), Arc::from),
            id,
            file: file.map(|(t, _)| t.to_owned()),
            url: url.map(|(t, _)| t.to_owned()),
            sha256,
            bytes: bytes.map(i64::unsigned_abs),
            duration_ms,
            kind: kind.unwrap_or(ClipKind::BanTin),
            campaign,
            topic,
            priority,
            approved_by,
            approved_at,
            approved_doc,
            gain_db,
            unfit: None,
            span,
        };
        if kind.is_some() && !clip.kind.is_frame() && wrote_approval != (true, true) {
            let missing = match wrote_approval {
                (true, _) => "approved_at = \"2022-09-30\"",
                (_, true) => "approved_by = \"Nguyễn Văn A\"",
                _ => "approved_by = \"Nguyễn Văn A\", approved_at = \"2022-09-30\"",
            };
            let at = if header.is_empty() { clip.span.clone() } else { header };
            notes.push(
                Finding::warning("not_approved", at, Text::NotApproved { id: clip.id.to_string() })
                    .hint(Text::AddLine { line: missing.into() }),
            );
        }
        Some(clip)
    }

    fn rotation(&mut self, mut f: Fields<'_>, ids: &mut Ids) -> Option<Rotation> {
        let notes = &mut self.notes;
        let id = f.id("id = \"cds\"", notes);
        if let Some((id, span)) = &id {
            ids.take(id, span, notes);
        }
        let held = f.need("clips", "clips = [\"cd1\", \"cd2\"]");
        let clips: Vec<Ref> =
            held.map(|h| h.each().filter_map(|one| one.reference(notes)).collect()).unwrap_or_default();
        if let Some(held) = held
            && matches!(&held.node.value, Value::List(list) if list.is_empty())
        {
            notes.push(
                Finding::error("empty", held.span(), Text::EmptyList { key: "clips".into() })
                    .hint(Text::WriteLine { line: "clips = [\"cd1\", \"cd2\"]".into() }),
            );
        }
        let from = f.need("from", "from = \"2022-10-01\"").and_then(|h| h.date(notes));
        f.close(notes);
        let (id, span) = id?;
        Some(Rotation { id, clips, from: from?, span })
    }

    fn offer(&mut self, mut f: Fields<'_>, ids: &mut Ids) -> Option<Offer> {
        let id = f.id("id = \"cds\"", &mut self.notes);
        if let Some((id, span)) = &id {
            ids.take(id, span, &mut self.notes);
        }
        let items = self.items(&mut f, false);
        let notes = &mut self.notes;
        let priority = f.choice("priority", PRIORITIES, notes).unwrap_or_default();
        let dates = f.limits(notes);
        never_met(&dates, &f.span, notes);
        let sessions_per_day = f.whole("sessions_per_day", 1, 1000, notes).map(small);
        let stations = names(&mut f, "stations", notes);
        f.close(notes);
        let (id, span) = id?;
        Some(Offer { id, items, priority, dates, sessions_per_day, stations, span })
    }

    /// The items of a slot, or of an offer, which may hold clips and rotations only.
    fn items(&mut self, f: &mut Fields<'_>, in_slot: bool) -> Vec<Item> {
        let example = if in_slot { "items = [\"nhac-hieu\", \"ban-tin\"]" } else { "items = [\"cd1\"]" };
        let Some(held) = f.need("items", example) else { return Vec::new() };
        if matches!(&held.node.value, Value::List(list) if list.is_empty()) {
            self.notes.push(
                Finding::error("empty", held.span(), Text::EmptyList { key: "items".into() })
                    .hint(Text::WriteLine { line: example.into() }),
            );
        }
        held.each().filter_map(|one| self.item(&one, in_slot)).collect()
    }

    fn item(&mut self, held: &Held<'_>, in_slot: bool) -> Option<Item> {
        let span = held.span();
        let table = match &held.node.value {
            Value::Table(table) => table,
            Value::Text(_) => {
                let clip = held.reference(&mut self.notes)?;
                return Some(Item { what: What::Clip(clip), dates: Dates::default(), span });
            }
            _ => {
                self.notes.push(
                    Finding::error("wrong_type", span, Text::WantItem {})
                        .hint(Text::WriteLine { line: "\"nhac-hieu\", { clip = \"luat\", days = \"T2\" }".into() }),
                );
                return None;
            }
        };
        let notes = &mut self.notes;
        let mut f = Fields::new(table, span.clone(), "items");
        let clip = f.get("clip");
        let rotation = f.get("rotation");
        let (offer, offers) = if in_slot { (f.get("offer"), f.get("offers")) } else { (None, None) };
        let dates = f.limits(notes);
        never_met(&dates, &span, notes);
        if !in_slot && let Some(at) = f.key_span("offer").or_else(|| f.key_span("offers")) {
            f.get("offer");
            f.get("offers");
            notes.push(Finding::error("not_here", at, Text::OfferInOffer {}));
            f.close(notes);
            return None;
        }
        let count = [clip, rotation, offer, offers].iter().flatten().count();
        let what = if let (Some(held), 1) = (clip, count) {
            held.reference(notes).map(What::Clip)
        } else if let (Some(held), 1) = (rotation, count) {
            held.reference(notes).map(What::Rotation)
        } else if let (Some(held), 1) = (offer, count) {
            held.reference(notes).map(What::Offer)
        } else if let (Some(held), 1) = (offers, count) {
            held.choice(PRIORITIES, notes).map(What::Offers)
        } else {
            let text = if count == 0 { Text::ItemNamesNothing {} } else { Text::ItemNamesTwo {} };
            // With an unknown key inside, that finding says more.
            let known = ["clip", "rotation", "offer", "offers", "from", "to", "days", "except"];
            if count > 0 || table.entries.iter().all(|e| known.contains(&e.key.as_str())) {
                notes.push(
                    Finding::error("bad_item", span.clone(), text)
                        .hint(Text::WriteLine { line: "{ clip = \"luat\", days = \"T2\" }".into() }),
                );
            }
            None
        };
        f.close(notes);
        Some(Item { what: what?, dates, span })
    }

    fn slot(&mut self, mut f: Fields<'_>, ids: &mut Ids) -> Option<Slot> {
        let header = f.span.clone();
        let id = f.id("id = \"sang\"", &mut self.notes);
        if let Some((id, span)) = &id {
            ids.take(id, span, &mut self.notes);
        }
        let name = f.text("name", &mut self.notes).map(|(t, _)| composed(t));
        let relay = f.choice("kind", &[(&["session"], false), (&["relay", "tiep_song"], true)], &mut self.notes);
        let relay = relay.unwrap_or(false);
        let dates = f.limits(&mut self.notes);
        let (when, when_span) = self.when(&mut f, &dates);
        let notes = &mut self.notes;
        let stations = names(&mut f, "stations", notes);
        let start = f.choice("start", &[(&["hard"], Start::Hard), (&["soft"], Start::Soft)], notes);
        let wait_up_to = f.duration("wait_up_to", 0, 12 * HOUR_MS, notes);
        let late = f.duration("late", 0, 12 * HOUR_MS, notes);
        let max_length = f.duration("max_length", SECOND_MS, 24 * HOUR_MS, notes);
        let priority = f.choice("priority", PRIORITIES, notes);
        let resume = f.flag("resume", false, notes);
        let gain_db = f.gain(notes);

        let (kind, items) = if relay {
            let length = f.need("length", "length = \"15m\"");
            let length_ms = length.and_then(|h| h.duration(SECOND_MS, 24 * HOUR_MS, notes)).unwrap_or(MINUTE_MS);
            if let Some(span) = f.key_span("items") {
                f.get("items");
                notes.push(Finding::error("not_here", span, Text::RelayHasItems {}).hint(Text::RemoveLine {}));
            }
            let idle = [
                ("start", start == Some(Start::Soft)),
                ("wait_up_to", wait_up_to.is_some()),
                ("late", late.is_some()),
                ("max_length", max_length.is_some()),
                ("priority", priority.is_some_and(|p| p != Priority::Normal)),
                ("resume", resume),
                ("gain_db", gain_db != 0.0),
            ];
            for (key, odd) in idle {
                if let (true, Some(span)) = (odd, f.key_span(key)) {
                    let text = Text::NoEffectOnRelay { key: key.into() };
                    notes.push(Finding::warning("no_effect", span, text).hint(Text::RemoveLine {}));
                }
            }
            (SlotKind::Relay { length_ms }, Vec::new())
        } else {
            if let Some(span) = f.key_span("length") {
                f.get("length");
                notes.push(Finding::error("not_here", span, Text::LengthOfSession {}).hint(Text::MaxLengthOrRelay {}));
            }
            (SlotKind::Session, self.items(&mut f, true))
        };
        f.close(&mut self.notes);
        let (id, id_span) = id?;
        let slot = Slot {
            name: name.map_or_else(|| id.clone(), Arc::from),
            id,
            when: when?,
            dates,
            kind,
            items,
            start: start.unwrap_or(Start::Hard),
            wait_up_to_ms: wait_up_to.unwrap_or(5 * MINUTE_MS),
            late_ms: late.unwrap_or(2 * MINUTE_MS),
            max_length_ms: max_length,
            priority: priority.unwrap_or_default(),
            resume,
            gain_db,
            stations,
            span: when_span.unwrap_or(id_span),
        };
        self.fires(&slot, &header);
        Some(slot)
    }

    fn when(&mut self, f: &mut Fields<'_>, dates: &Dates) -> (Option<When>, Option<Span>) {
        let notes = &mut self.notes;
        let at = f.get("at");
        let cron = f.get("cron");
        match (at, cron) {
            (None, None) => {
                f.missing("at", "at = \"05:30\"");
                (None, None)
            }
            (Some(_), Some(cron)) => {
                notes.push(Finding::error("bad_when", cron.span(), Text::AtAndCron {}).hint(Text::RemoveOne {}));
                (None, None)
            }
            (Some(at), None) => {
                if matches!(&at.node.value, Value::List(list) if list.is_empty()) {
                    notes.push(
                        Finding::error("empty", at.span(), Text::EmptyList { key: "at".into() })
                            .hint(Text::WriteLine { line: "at = \"05:30\"".into() }),
                    );
                    return (None, None);
                }
                let mut times: Vec<At> = Vec::new();
                let mut whole = true;
                for one in at.each() {
                    match one.at(notes) {
                        Some(time) if times.contains(&time) => {
                            let text = Text::TimeTwice { text: at_text(&time) };
                            notes.push(Finding::warning("twice", one.span(), text).hint(Text::RemoveOne {}));
                        }
                        Some(time) => times.push(time),
                        None => whole = false,
                    }
                }
                (whole.then_some(When::At(times)), Some(at.span()))
            }
            (None, Some(cron)) => {
                let Some((text, span)) = cron.text(notes) else { return (None, None) };
                if let Some(days) = f.key_span("days")
                    && dates.days.is_some()
                {
                    let line = format!("cron = \"{}\"", cron_with_days(text, dates.days));
                    notes.push(Finding::error("bad_when", days, Text::DaysWithCron {}).hint(Text::WriteLine { line }));
                }
                match Cron::parse(text) {
                    Ok(_) => {
                        if let Some(finding) = swapped(text, &span) {
                            notes.push(finding);
                        }
                        (Some(When::Cron(text.to_owned())), Some(span))
                    }
                    Err(error) => {
                        notes.push(cron_finding(text, &span, &error));
                        (None, Some(span))
                    }
                }
            }
        }
    }

    /// Whether a slot ever falls due.
    fn fires(&mut self, slot: &Slot, header: &Span) {
        if slot.dates.from.zip(slot.dates.to).is_some_and(|(from, to)| to < from) {
            return; // said already
        }
        let notes = &mut self.notes;
        if let When::At(times) = &slot.when {
            for at in times {
                if let At::Once(local) = at
                    && !slot.dates.contain(local.date())
                {
                    let text = Text::OnceOutside { text: at_text(at) };
                    notes.push(Finding::error("never_fires", slot.span.clone(), text).hint(Text::OnceAlone {}));
                }
            }
            if times.iter().any(|at| matches!(at, At::Once(_))) {
                return;
            }
        }
        let Ok(recurrence) = Recurrence::of(slot) else { return };
        // Eight years hold every combination of weekday and date, 29 February included.
        let start = slot.dates.from.or(slot.dates.to.map(|to| to - chrono::TimeDelta::days(3000)));
        let start = start.map_or(Wall(1_577_836_800_000), |d| Zone::default().midnight(d)).plus_ms(-SECOND_MS);
        if recurrence.next_after(start, Zone::default()).is_none() {
            let at = if slot.span.is_empty() { header.clone() } else { slot.span.clone() };
            let text = Text::NeverFires { id: slot.id.to_string() };
            notes.push(Finding::error("never_fires", at, text).hint(Text::LookAtDates {}));
        }
    }

    fn special_day(&mut self, mut f: Fields<'_>) -> Option<SpecialDay> {
        let notes = &mut self.notes;
        let span = f.span.clone();
        f.need("dates", "dates = [\"2022-10-10\"]");
        let dates = f.dates("dates", notes);
        if let Some(held) = f.get("dates")
            && matches!(&held.node.value, Value::List(list) if list.is_empty())
        {
            notes.push(
                Finding::error("empty", held.span(), Text::EmptyList { key: "dates".into() })
                    .hint(Text::WriteLine { line: "dates = [\"2022-10-10\"]".into() }),
            );
        }
        let skip = f.need("skip", "skip = [\"tiep-song-tinh\"]");
        let skip = skip.map(|held| match &held.node.value {
            Value::Text(text) if text == "all" => Skip::All,
            _ => Skip::Slots(held.each().filter_map(|one| one.reference(notes)).collect()),
        });
        let stations = names(&mut f, "stations", notes);
        f.close(notes);
        Some(SpecialDay { dates, skip: skip?, stations, span })
    }

    fn withdrawal(&mut self, mut f: Fields<'_>) -> Option<Withdrawal> {
        let notes = &mut self.notes;
        let span = f.span.clone();
        let held = [f.get("clip"), f.get("offer"), f.get("slot"), f.get("emergency")];
        let at = f.get("at").and_then(|h| h.moment(notes));
        let by = f.text("by", notes).map(|(t, _)| composed(t));
        let why = f.text("why", notes).map(|(t, _)| composed(t));
        let count = held.iter().flatten().count();
        if count != 1 {
            let text = if count == 0 { Text::WithdrawsNothing {} } else { Text::WithdrawsTwo {} };
            notes.push(
                Finding::error("bad_item", span.clone(), text)
                    .hint(Text::WriteLine { line: "clip = \"tinh/cd2\"".into() }),
            );
            f.close(notes);
            return None;
        }
        let makers: [fn(Ref) -> Withdrawn; 4] =
            [Withdrawn::Clip, Withdrawn::Offer, Withdrawn::Slot, Withdrawn::Emergency];
        let what = held.iter().zip(makers).find_map(|(held, make)| held.and_then(|h| h.reference(notes)).map(make));
        f.close(notes);
        Some(Withdrawal { what: what?, at, by, why, span })
    }

    fn emergency(&mut self, mut f: Fields<'_>, ids: &mut Ids) -> Option<Emergency> {
        let notes = &mut self.notes;
        let id = f.id("id = \"bao-so-4\"", notes);
        if let Some((id, span)) = &id {
            ids.take(id, span, notes);
        }
        let clip = f.need("clip", "clip = \"bao\"").and_then(|h| h.reference(notes));
        let from = f.need("from", "from = \"2022-10-08T17:06:00+07:00\"").and_then(|h| h.moment(notes));
        let until = f.need("until", "until = \"2022-10-08T20:00:00+07:00\"");
        let until_at = until.and_then(|h| h.moment(notes));
        if let (Some(from), Some(end), Some(held)) = (from, until_at, until)
            && end <= from
        {
            notes.push(Finding::error("never_fires", held.span(), Text::UntilBeforeFrom {}).hint(Text::SwapFromTo {}));
        }
        let repeat = f.whole("repeat", 1, 100, notes).map_or(1, small);
        let gap_ms = f.duration("gap", 0, HOUR_MS, notes).unwrap_or(crate::domain::schedule::EMERGENCY_GAP_MS);
        let every_ms = f.duration("every", 10 * SECOND_MS, 24 * HOUR_MS, notes);
        let stations = names(&mut f, "stations", notes);
        f.close(notes);
        let (id, span) = id?;
        let since = None;
        Some(Emergency {
            id,
            clip: clip?,
            from: from?,
            until: until_at?,
            repeat,
            gap_ms,
            every_ms,
            stations,
            since,
            span,
        })
    }

    /// References within the list itself.
    fn references(&mut self) {
        let list = &self.list;
        let own = own_id(list);
        let is_own = |r: &Ref| r.source.as_deref().is_none_or(|s| s == own);
        let declared = &self.declared;
        let (mut found, mut unknown_topics) = (Vec::new(), Vec::new());
        let mut look = |r: &Ref, ids: &Ids, what: fn(String) -> Text, refuse: bool| {
            if !is_own(r) || ids.has(&r.id) {
                return;
            }
            let text = what(r.id.to_string());
            let finding = if refuse {
                Finding::error("unknown_ref", r.span.clone(), text)
            } else {
                Finding::warning("unknown_ref", r.span.clone(), text)
            };
            // Looking for the nearest of thousands, thousands of times, would take minutes.
            found.push(if found.len() < 50 { finding.hint(known(&r.id, &ids.names())) } else { finding });
        };
        let clip = |id: String| Text::UnknownClip { id };
        let items = list.slots.iter().flat_map(|s| &s.items).chain(list.offers.iter().flat_map(|o| &o.items));
        for item in items {
            match &item.what {
                What::Clip(r) => look(r, &declared.clips, clip, true),
                What::Rotation(r) => look(r, &declared.rotations, |id| Text::UnknownRotation { id }, true),
                What::Offer(r) => look(r, &declared.offers, |id| Text::UnknownOffer { id }, true),
                What::Offers(_) => {}
            }
        }
        for r in list.rotations.iter().flat_map(|r| &r.clips).chain(list.emergencies.iter().map(|e| &e.clip)) {
            look(r, &declared.clips, clip, true);
        }
        for day in &list.special_days {
            if let Skip::Slots(refs) = &day.skip {
                for r in refs {
                    look(r, &declared.slots, |id| Text::UnknownSlot { id }, true);
                }
            }
        }
        for w in &list.withdrawals {
            // What was withdrawn may be gone from the list already.
            match &w.what {
                Withdrawn::Clip(r) => look(r, &declared.clips, clip, false),
                Withdrawn::Offer(r) => look(r, &declared.offers, |id| Text::UnknownOffer { id }, false),
                Withdrawn::Slot(r) => look(r, &declared.slots, |id| Text::UnknownSlot { id }, false),
                Withdrawn::Emergency(r) => look(r, &declared.emergencies, |id| Text::UnknownEmergency { id }, false),
            }
        }
        for c in &list.clips {
            if let Some(r) = &c.campaign {
                look(r, &declared.campaigns, |id| Text::UnknownCampaign { id }, true);
                if let Some(topic) = &c.topic
                    && let (true, Some(campaign)) = (is_own(r), list.campaigns.iter().find(|c| c.id == r.id))
                {
                    let topics: Vec<&str> = campaign.topics.iter().map(|t| &*t.id).collect();
                    if is_own(topic) && !topics.contains(&&*topic.id) {
                        let text = Text::UnknownTopic { id: topic.id.to_string() };
                        unknown_topics.push(
                            Finding::error("unknown_ref", topic.span.clone(), text).hint(known(&topic.id, &topics)),
                        );
                    }
                }
            }
        }
        found.extend(unknown_topics);
        if self.form != Form::Local {
            let foreign = |r: &Ref| !is_own(r);
            let skips = list.special_days.iter().filter_map(|d| match &d.skip {
                Skip::Slots(refs) => Some(refs),
                Skip::All => None,
            });
            let taken = list.withdrawals.iter().map(|w| match &w.what {
                Withdrawn::Clip(r) | Withdrawn::Offer(r) | Withdrawn::Slot(r) | Withdrawn::Emergency(r) => r,
            });
            for r in skips.flatten().chain(taken).filter(|r| foreign(r)) {
                found.push(Finding::error("not_here", r.span.clone(), Text::OthersEntry {}));
            }
        }
        let own_name = own.to_owned();
        for r in all_refs(list) {
            if self.form != Form::Local && r.source.as_deref() == Some(LOCAL) && own_name != LOCAL {
                let text = Text::LocalFromAbove { id: r.id.to_string() };
                found.push(Finding::error("unknown_ref", r.span.clone(), text));
            }
        }
        self.notes.list.extend(found);
    }
}

/// The id a list goes by in references.
fn own_id(list: &List) -> &str {
    list.source.as_deref().unwrap_or(LOCAL)
}

/// Every reference to a clip, rotation, offer or campaign.
fn all_refs(list: &List) -> impl Iterator<Item = &Ref> {
    let items = list.slots.iter().flat_map(|s| &s.items).chain(list.offers.iter().flat_map(|o| &o.items));
    let items = items.filter_map(|i| match &i.what {
        What::Clip(r) | What::Rotation(r) | What::Offer(r) => Some(r),
        What::Offers(_) => None,
    });
    items
        .chain(list.rotations.iter().flat_map(|r| &r.clips))
        .chain(list.emergencies.iter().map(|e| &e.clip))
        .chain(list.clips.iter().filter_map(|c| c.campaign.as_ref()))
}

/// What to write for an id that is not there: the nearest, or those that are.
pub(crate) fn known(id: &str, ids: &[&str]) -> Text {
    match nearest(id, ids.iter().copied()) {
        Some(near) => Text::WriteId { id: near.to_owned() },
        None if ids.is_empty() => Text::NoneDeclared {},
        None => {
            let mut listed: Vec<_> = ids.iter().take(12).copied().collect();
            if ids.len() > listed.len() {
                listed.push("...");
            }
            Text::KnownIds { ids: listed.join(", ") }
        }
    }
}

fn composed(text: &str) -> String {
    text.trim().nfc().collect()
}

fn small(n: i64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn names(f: &mut Fields<'_>, key: &'static str, notes: &mut Notes) -> Option<Vec<String>> {
    let texts = f.texts(key, notes)?;
    Some(texts.iter().filter_map(|(t, span)| read_id(t, span, notes)).map(|id| id.to_string()).collect())
}

fn at_text(at: &At) -> String {
    match at {
        At::Daily(time) => time.format("%H:%M").to_string(),
        At::Once(moment) => moment.format("%Y-%m-%dT%H:%M").to_string(),
    }
}

/// Says so when no date meets `from`, `to`, `days` and `except` together.
fn never_met(dates: &Dates, span: &Span, notes: &mut Notes) {
    let (Some(from), Some(to)) = (dates.from, dates.to) else { return };
    if to >= from && from.iter_days().take(400).take_while(|d| *d <= to).all(|d| !dates.contain(d)) {
        notes.push(Finding::error("never_fires", span.clone(), Text::NoDateLeft {}).hint(Text::LookAtDates {}));
    }
}

/// The weekdays of `days` put where cron wants them.
fn cron_with_days(text: &str, days: Option<Days>) -> String {
    let mut parts: Vec<&str> = text.split_whitespace().collect();
    let days = days.unwrap_or(Days::ALL).to_string();
    if let Some(last) = parts.last_mut() {
        *last = &days;
    }
    parts.join(" ")
}

/// `17 15 * * *`, written for 17:15, is 15:17. Said when the swapped reading is the rounder one.
fn swapped(text: &str, span: &Span) -> Option<Finding> {
    let parts: Vec<&str> = text.split_whitespace().collect();
    let at = parts.len().checked_sub(5)?;
    let (minute, hour): (u32, u32) = (parts[at].parse().ok()?, parts[at + 1].parse().ok()?);
    let meant = (4..24).contains(&minute) && minute % 5 != 0 && hour % 5 == 0;
    meant.then(|| {
        let line = format!("cron = \"{hour} {minute} {}\"", parts[at + 2..].join(" "));
        let text = Text::CronMeans { cron: text.to_owned(), means: format!("{hour:02}:{minute:02}") };
        Finding::warning("cron_swapped", span.clone(), text).hint(Text::CronWrite {
            line,
            at: format!("at = \"{minute:02}:{hour:02}\""),
            meant: format!("{minute:02}:{hour:02}"),
        })
    })
}

fn cron_finding(text: &str, span: &Span, error: &CronError) -> Finding {
    let parts: Vec<&str> = text.split_whitespace().collect();
    let (message, hint) = match error {
        CronError::FieldCount { found } => {
            let numbers: Vec<u32> = parts.iter().filter_map(|p| p.parse().ok()).collect();
            let hint = match (fields::time_guess(text), &numbers[..]) {
                (Some(time), [hour, minute]) if parts.len() == 2 => {
                    Text::CronOrAt { line: format!("cron = \"{minute} {hour} * * *\""), at: format!("at = \"{time}\"") }
                }
                (Some(time), _) if parts.len() == 1 => Text::WriteLine { line: format!("at = \"{time}\"") },
                _ => Text::CronForm {},
            };
            (Text::CronFields { found: *found }, hint)
        }
        CronError::WeekdayDigit { text: weekday } => {
            let hint = match fields::days_guess(&weekday.replace('/', ",")) {
                Some(days) if weekday != "*" => {
                    let mut parts = parts.clone();
                    if let Some(last) = parts.last_mut() {
                        *last = &days;
                    }
                    Text::CronDays { line: format!("cron = \"{}\"", parts.join(" ")) }
                }
                _ => Text::DaysForm {},
            };
            (Text::CronDigit { text: weekday.clone() }, hint)
        }
        CronError::BothDays { day, weekday } => {
            let (mut by_date, mut by_weekday) = (parts.clone(), parts.clone());
            let at = parts.len().saturating_sub(5);
            if let (Some(w), Some(d)) = (by_date.get_mut(at + 4), by_weekday.get_mut(at + 2)) {
                (*w, *d) = ("*", "*");
            }
            let hint = Text::CronEither {
                first: format!("cron = \"{}\"", by_date.join(" ")),
                second: format!("cron = \"{}\"", by_weekday.join(" ")),
            };
            (Text::CronBothDays { day: day.clone(), weekday: weekday.clone() }, hint)
        }
        CronError::BadField { text: part, min, max, .. } if *max == 0 => {
            let hint = match fields::days_guess(part) {
                Some(days) => Text::CronDays { line: format!("cron = \"{}\"", text.replace(part.as_str(), &days)) },
                None => Text::DaysForm {},
            };
            let _ = min;
            (Text::BadDays { text: part.clone() }, hint)
        }
        CronError::BadField { text: part, min, max, .. } => {
            (Text::CronPart { text: part.clone(), min: *min, max: *max }, Text::CronForm {})
        }
        CronError::NeverFires => (Text::CronNever { cron: text.to_owned() }, Text::LookAtDates {}),
    };
    let code = if matches!(error, CronError::NeverFires) { "never_fires" } else { "bad_cron" };
    Finding::error(code, span.clone(), message).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::document::Node;
    use crate::domain::fields::duration_text;
    use crate::domain::findings::Severity;

    fn codes(reading: &Reading<List>) -> Vec<&'static str> {
        reading.findings.iter().map(|f| f.code).collect()
    }

    const WHOLE: &str = include_str!("whole.toml");

    #[test]
    fn every_key_of_the_contract_is_read() {
        let reading = read_list(WHOLE.as_bytes(), Form::Handwritten);
        assert_eq!(reading.findings, Vec::new());
        let list = reading.value.unwrap();
        assert_eq!(list.campaigns[0].topics.len(), 2);
        assert_eq!(list.slots[0].items.len(), 7);
        assert!(matches!(list.slots[1].kind, SlotKind::Relay { length_ms: 900_000 }));
        assert_eq!(list.emergencies[0].every_ms, Some(600_000));
        assert!(list.is_for(&Some(vec!["ven-bien".into()]), "xa-hai-an"));
        assert_eq!(duration_text(list.slots[0].late_ms), "2m");
    }

    #[test]
    fn absent_keys_take_the_defaults_of_rule_r2() {
        let text = "[[clips]]\nid='a'\nfile='a.mp3'\ntitle='A'\nkind='nhac_hieu'\n\n[[slots]]\nid='s'\nat=05:30\nitems=['a']\n";
        let list = read_list(text.as_bytes(), Form::Local).value.unwrap();
        let slot = &list.slots[0];
        assert_eq!((slot.start, slot.wait_up_to_ms, slot.late_ms), (Start::Hard, 300_000, 120_000));
        assert_eq!((slot.max_length_ms, slot.priority, slot.resume), (None, Priority::Normal, false));
        assert_eq!(&*slot.name, "s");
        assert!(matches!(&slot.when, When::At(at) if matches!(at[..], [At::Daily(_)])));
        assert_eq!(slot.span, text.find("05:30").unwrap()..text.find("05:30").unwrap() + 5);
    }

    fn published(edit: impl Fn(&mut serde_json::Value)) -> Reading<List> {
        let mut value = serde_json::json!({
            "format": 1, "source": "tinh", "serial": 1,
            "issued_at": "2022-09-28T14:05:00+07:00", "expires_at": "2022-10-29T14:05:00+07:00",
            "clips": [{"id": "a", "url": "clips/a.mp3", "sha256": "A".repeat(64), "bytes": 10, "duration_ms": 1000,
                       "title": "A", "kind": "nhac_hieu", "gain_db": -1.5}],
        });
        edit(&mut value);
        read_list(value.to_string().as_bytes(), Form::Published)
    }

    #[test]
    fn a_published_list_carries_what_publishing_adds() {
        let list = published(|_| {}).value.unwrap();
        assert_eq!(list.serial, Some(1));
        assert_eq!(list.clips[0].sha256.as_deref(), Some(&*"a".repeat(64)));
        assert_eq!(codes(&published(|v| v["serial"] = 0.into())), ["out_of_range"]);
        assert_eq!(codes(&published(|v| v["format"] = 2.into())), ["format"]);
        assert_eq!(codes(&published(|v| v["expires_at"] = "2023-02-01T00:00:00Z".into())), ["bad_life"]);
        assert_eq!(codes(&published(|v| v["clips"][0]["url"] = "../a.mp3".into())), ["bad_path"]);
        assert_eq!(codes(&published(|v| v["clips"][0]["sha256"] = "zz".into())), ["bad_hash"]);
        assert_eq!(codes(&published(|v| v["clips"][0]["id"] = "../a".into())), ["bad_id"]);
        assert_eq!(codes(&published(|v| v["surprise"] = 1.into())), ["unknown_key"]);
        assert_eq!(codes(&published(|v| v["serial"] = serde_json::Value::Null)), ["missing_key"]);
    }

    #[test]
    fn groups_stand_for_their_stations() {
        let reading = published(|v| {
            v["stations"] = serde_json::json!(["bien"]);
            v["groups"] = serde_json::json!({"bien": ["xa-b", "xa-a"], "nui": ["xa-c"]});
        });
        let list = reading.value.unwrap();
        assert!(list.is_for(&list.stations, "xa-a") && list.is_for(&list.stations, "xa-b"));
        assert!(!list.is_for(&list.stations, "xa-c"));
    }

    #[test]
    fn a_slip_of_form_does_not_bring_a_crowd() {
        let text = "[[clips]\nid = \"a\"\nfile = \"a.mp3\"\ntitle = \"A\"\nkind = \"nhac_hieu\"\n[[slots]]\nid = \"s\"\nat = \"25:00\"\nitems = [\"a\"]\n";
        let reading = read_list(text.as_bytes(), Form::Local);
        assert_eq!(codes(&reading), ["unclosed_table", "bad_time"]);
    }

    #[test]
    fn what_is_not_approved_is_a_warning() {
        let text = "[[clips]]\nid='a'\nfile='a.mp3'\ntitle='A'\nkind='ban_tin'\n";
        let reading = read_list(text.as_bytes(), Form::Local);
        assert!(reading.value.is_some());
        assert_eq!(reading.findings[0].severity, Severity::Warning);
    }

    #[test]
    fn ten_thousand_clips_are_read() {
        let clip = |i: usize| {
            format!(
                "{{\"id\":\"c{i}\",\"url\":\"clips/{i}.mp3\",\"sha256\":\"{}\",\"bytes\":10,\"duration_ms\":1000,\"title\":\"Bản tin\",\"kind\":\"nhac_hieu\",\"priority\":\"normal\"}}",
                "ab".repeat(32)
            )
        };
        let clips: Vec<_> = (0..10_000).map(clip).collect();
        let items: Vec<_> = (0..10_000).map(|i| format!("\"c{i}\"")).collect();
        let text = format!(
            "{{\"format\":1,\"source\":\"tinh\",\"serial\":1,\"issued_at\":\"2022-09-28T14:05:00Z\",\"expires_at\":\"2022-10-29T14:05:00Z\",\"clips\":[{}],\"offers\":[{{\"id\":\"o\",\"items\":[{}]}}]}}",
            clips.join(","),
            items.join(",")
        );
        let reading = read_list(text.as_bytes(), Form::Published);
        assert_eq!(reading.findings, Vec::new());
        assert_eq!(reading.value.unwrap().clips.len(), 10_000);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            for form in [Form::Local, Form::Handwritten, Form::Published] {
                read_list(&bytes, form);
            }
        }

        /// The whole example with pieces cut out, doubled and swapped.
        #[test]
        fn no_mangled_list_makes_it_panic(cuts in proptest::collection::vec((0usize..4000, 0usize..200, 0usize..4000), 1..4)) {
            let mut bytes = WHOLE.as_bytes().to_vec();
            for (from, length, to) in cuts {
                let from = from.min(bytes.len());
                let piece: Vec<u8> = bytes.drain(from..(from + length).min(bytes.len())).collect();
                let to = to.min(bytes.len());
                if to % 2 == 0 { bytes.splice(to..to, piece); }
            }
            let reading = read_list(&bytes, Form::Handwritten);
            let text = document::shown(&bytes);
            for finding in reading.findings {
                finding.render("f", &text, crate::domain::config::Language::Vi);
            }
        }
    }

    #[test]
    fn a_tree_of_another_kind_is_refused() {
        assert_eq!(codes(&read_list(b"[1, 2]", Form::Published)), ["wrong_type"]);
        assert!(!codes(&read_list(b"", Form::Published)).is_empty());
        assert!(read_list(b"", Form::Local).value.is_some());
        let node = Node { span: 0..0, value: Value::Null };
        assert!(matches!(node.value, Value::Null));
    }
}

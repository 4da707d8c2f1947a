//! The rows a stage writes: airings, fixed plans, events.

use std::sync::Arc;

use super::runs::Run;
use super::{Decision, Light};
use crate::domain::airing::{
    Airing, Entry, EventKind, EventRow, Kind, Outcome, Reason, SessionRow, SessionRowItem, Write,
};
use crate::domain::schedule::{Programme, session_key};
use crate::domain::time::Wall;

/// An event row, ready to be written.
pub fn event(kind: EventKind, at: Wall, by: Option<String>, detail: &[(&str, serde_json::Value)]) -> Write {
    let detail = detail.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
    Write::Append(Entry::Event(EventRow { event: kind, at, by, detail }))
}

/// The key of a session in the log: its airings' ids without their positions.
pub(super) fn log_key(run: &Run, programme: &Programme) -> String {
    session_key(&run.session.source, &run.session.slot, run.id_start, programme.zone)
}

/// Writes a fixed plan down, and that its airings are still to come.
pub(super) fn open_session(run: &Run, programme: &Programme, out: &mut Vec<Decision>) {
    let key = log_key(run, programme);
    out.push(Decision::Write(Write::Append(Entry::Session(session_row(run, programme)))));
    out.push(Decision::Write(Write::KeepSession { key, body: serde_json::Value::Null }));
}

/// Every airing of the session has its row.
pub(super) fn close_session(run: &Run, programme: &Programme, out: &mut Vec<Decision>) {
    out.push(Decision::Write(Write::ForgetSession { key: log_key(run, programme) }));
}

pub(super) fn session_row(run: &Run, programme: &Programme) -> SessionRow {
    let zone = programme.zone;
    let items = run.session.items.iter().enumerate().map(|(i, p)| SessionRowItem {
        airing_id: run.airing_id(i, programme),
        planned_at: zone.rfc3339(p.planned_at),
        clip_id: p.clip_id.as_deref().map(str::to_owned),
        source: Some(p.source.to_string()),
        clip_sha256: p.clip.as_ref().and_then(|c| c.sha256.as_deref()).map(str::to_owned),
        clip_ms: p.clip.as_ref().and_then(|c| c.duration_ms),
        blocked: p.forbidden,
    });
    SessionRow {
        slot_source: run.session.source.to_string(),
        slot_id: run.session.slot.to_string(),
        slot_name: run.session.name.to_string(),
        session_start: zone.rfc3339(run.id_start),
        kind: run.kind,
        priority: run.session.priority,
        items: items.collect(),
    }
}

pub(super) fn airing_row(
    run: &Run,
    index: usize,
    outcome: Outcome,
    reason: Option<Reason>,
    by: Option<String>,
    light: &Light,
) -> Airing {
    let programme = light.programme;
    let zone = programme.zone;
    let planned = &run.session.items[index];
    let item = &run.items[index];
    let clip = planned.clip.as_deref();
    let text = |t: &Option<Arc<str>>| t.as_deref().map(str::to_owned);
    let manual = run.kind == Kind::Manual;
    let of_slot = |value: &Arc<str>| if manual { None } else { Some(value.to_string()) };
    Airing {
        seq: None,
        row_type: "airing".into(),
        airing_id: run.airing_id(index, programme),
        station_id: programme.station_id.clone(),
        device_id: programme.device_id.clone(),
        log_id: None,
        boot_id: None,
        kind: run.kind,
        source: Some(planned.source.to_string()),
        origin: clip.map(|c| c.origin).or_else(|| programme.origin_of(&planned.source)),
        slot_source: of_slot(&run.session.source),
        slot_id: of_slot(&run.session.slot),
        slot_name: of_slot(&run.session.name),
        session_start: if manual { None } else { Some(zone.rfc3339(run.id_start)) },
        position: if manual { None } else { Some(run.id_offset + index as u32 + 1) },
        offer_id: text(&planned.offer),
        playlist_serial: clip.and_then(|c| c.serial),
        clip_id: text(&planned.clip_id),
        clip_sha256: clip.and_then(|c| text(&c.sha256)),
        title: clip.map(|c| c.title.to_string()),
        clip_kind: clip.map(|c| c.kind),
        priority: clip.map(|c| c.priority),
        campaign_id: clip.and_then(|c| text(&c.campaign_id)),
        topic_id: clip.and_then(|c| text(&c.topic_id)),
        doc_number: clip.and_then(|c| text(&c.doc_number)),
        approved_by: clip.and_then(|c| text(&c.approved_by)),
        approved_at: clip.and_then(|c| text(&c.approved_at)),
        planned_at: zone.rfc3339(planned.planned_at),
        started_at: item.began.map(|(ns, _)| zone.rfc3339(Wall(ns.div_euclid(1_000_000)))),
        ended_at: item.began.and(item.ended_at).map(|t| zone.rfc3339(t)),
        clip_ms: clip.and_then(|c| c.duration_ms),
        played_ms: if item.began.is_some() { item.played_ms } else { 0 },
        // Two decimals; a plain zero never carries a minus sign.
        start_error_ms: item.began.map(|(_, error_ns)| (error_ns as f64 / 10_000.0).round() / 100.0 + 0.0),
        outcome,
        reason,
        gain_db: Some((planned.gain_db * 100.0).round() / 100.0 + 0.0),
        output: light.output.to_owned(),
        clock: light.clock,
        by: by.or_else(|| run.by.clone()),
        recorded_at: None,
        prev_hash: None,
        hash: None,
    }
}

//! What an editor sees of a list before villages hear it: what it changes against the one before, how long it sounds a
//! day, and what of each campaign's quota its own sessions bring.

use std::sync::Arc;

use chrono::NaiveDate;
use serde_json::Value as Json;

use crate::domain::config::{Language, read_config};
use crate::domain::playlist::{Campaign, List, What};
use crate::domain::quota;
use crate::domain::schedule::{InForce, Programme, Walk};
use crate::domain::text::{Text, length_words};
use crate::domain::time::{DAY_MS, Wall, Zone};

/// The most ids that a line names.
const MOST_NAMED: usize = 8;
/// What publishing writes anew each time.
const HEAD: [&str; 6] = ["format", "source", "serial", "issued_at", "expires_at", "urgent"];

/// A sentence about ids.
type Sentence = fn(String) -> Text;

/// What changes against the list before, a line for each kind of entry; one line when nothing does.
pub fn changes(before: &Json, after: &Json, language: Language) -> Vec<Text> {
    let serial = before.get("serial").and_then(Json::as_u64).unwrap_or(0);
    let mut keys: Vec<&String> = Vec::new();
    for key in [after, before].into_iter().filter_map(Json::as_object).flat_map(|o| o.keys()) {
        if !HEAD.contains(&key.as_str()) && !keys.contains(&key) {
            keys.push(key);
        }
    }
    let line = |key: &String| {
        let (old, new) = (entries(before.get(key)), entries(after.get(key)));
        let in_old = |id: &str| old.iter().find(|e| e.0 == id);
        let in_new = |id: &str| new.iter().any(|e| e.0 == id);
        let ids = |of: Vec<&(String, &Json)>| of.into_iter().map(|e| e.0.clone()).collect::<Vec<_>>();
        let added = ids(new.iter().filter(|e| in_old(&e.0).is_none()).collect());
        let gone = ids(old.iter().filter(|e| !in_new(&e.0)).collect());
        let edited = ids(new.iter().filter(|e| in_old(&e.0).is_some_and(|o| o.1 != e.1)).collect());
        let parts: [(Vec<String>, Sentence); 3] = [
            (added, |ids| Text::PublishAdded { ids }),
            (gone, |ids| Text::PublishGone { ids }),
            (edited, |ids| Text::PublishEdited { ids }),
        ];
        let parts = parts.into_iter().filter(|(ids, _)| !ids.is_empty());
        let changes = parts.map(|(ids, how)| how(listed(&ids)).say(language)).collect::<Vec<_>>().join("; ");
        (!changes.is_empty()).then(|| Text::PublishChange { key: key.clone(), changes })
    };
    let lines: Vec<Text> = keys.into_iter().filter_map(line).collect();
    match lines.is_empty() {
        true => vec![Text::PublishSame { serial }],
        false => std::iter::once(Text::PublishAgainst { serial }).chain(lines).collect(),
    }
}

/// The entries of one key by what people call them.
fn entries(value: Option<&Json>) -> Vec<(String, &Json)> {
    match value {
        None => Vec::new(),
        Some(Json::Array(all)) => all.iter().map(|e| (name(e), e)).collect(),
        Some(Json::Object(all)) => all.iter().map(|(key, e)| (key.clone(), e)).collect(),
        Some(one) => vec![(name(one), one)],
    }
}

/// An entry's id; of one that has none, what it is about.
fn name(entry: &Json) -> String {
    let about = ["id", "clip", "offer", "slot", "emergency", "name", "date", "from"];
    match entry {
        Json::String(text) => text.clone(),
        _ => (about.iter().find_map(|key| entry.get(key)?.as_str()).map(str::to_owned))
            .unwrap_or_else(|| entry.to_string()),
    }
}

fn listed(ids: &[String]) -> String {
    let mut text = ids.iter().take(MOST_NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    if ids.len() > MOST_NAMED {
        text.push_str(&format!(" (+{})", ids.len() - MOST_NAMED));
    }
    text
}

/// How long the list sounds a day, and what of each campaign's quota its own sessions bring, on a station for which
/// it is meant. `list` is the published one, with the length of each clip; `key` any key that stands for its own.
pub fn airtime(
    list: &Arc<List>,
    station: &str,
    key: &str,
    (from, until): (Wall, Wall),
    language: Language,
) -> Vec<Text> {
    let source = list.source.clone().unwrap_or_else(|| "tinh".into());
    let mut lines = Vec::new();
    let Some((programme, zone)) = programme(list, &source, station, key, from) else { return lines };

    let mut days: Vec<(NaiveDate, i64)> = Vec::new();
    let mut walk = Walk::new(programme.clone(), from);
    while let Some(session) = walk.next_before(until) {
        let ms: i64 = session.items.iter().map(|i| i.length_ms).sum();
        match days.last_mut().filter(|(date, _)| *date == zone.date(session.start)) {
            Some((_, all)) => *all += ms,
            None => days.push((zone.date(session.start), ms)),
        }
    }
    // Of several the first.
    if let Some((date, ms)) = days.iter().rev().max_by_key(|(_, ms)| *ms).filter(|(_, ms)| *ms > 0) {
        let (length, date) = (length_words(*ms, language), date.format("%d/%m/%Y").to_string());
        lines.push(Text::PublishOwnSessions { length, date });
    }
    let offered: i64 = (list.offers.iter().filter(|o| list.is_for(&o.stations, station)))
        .flat_map(|o| &o.items)
        .filter_map(|item| match &item.what {
            What::Clip(clip) => list.clip(&clip.id)?.duration_ms,
            _ => None,
        })
        .sum();
    if offered > 0 {
        lines.push(Text::PublishOffered { length: length_words(offered, language) });
    }

    let planned = quota::planned(&programme, from, until);
    for campaign in &list.campaigns {
        let asked = std::iter::once((None, campaign.title.clone(), campaign.min_per_day));
        let topics =
            campaign.topics.iter().map(|t| (Some(&t.id), format!("{}: {}", campaign.title, t.title), t.min_per_day));
        for (topic, title, quota) in asked.chain(topics) {
            let Some(quota) = quota else { continue };
            let clips = (list.clips.iter())
                .filter(|c| c.campaign.as_ref().is_some_and(|r| r.id == campaign.id))
                .filter(|c| topic.is_none_or(|t| c.topic.as_ref().is_some_and(|own| own.id == *t)))
                .count();
            let (key, topic) = (format!("{source}/{}", campaign.id), topic.map(|t| format!("{source}/{t}")));
            let least = days_of(campaign, zone, from, until)
                .into_iter()
                .map(|date| (planned.on(&key, date, topic.as_deref()), date))
                .min();
            lines.push(match least {
                _ if clips == 0 => Text::PublishQuotaNoClip { campaign: title, quota },
                None => Text::PublishQuotaOver { campaign: title },
                Some((own, _)) if own >= quota => Text::PublishQuotaMet { campaign: title, quota, clips, own },
                Some((own, date)) => {
                    let date = date.format("%d/%m/%Y").to_string();
                    Text::PublishQuotaLeft { campaign: title, quota, clips, own, date, left: quota - own }
                }
            });
        }
    }
    lines
}

/// The whole days of a campaign within the life of its list.
fn days_of(campaign: &Campaign, zone: Zone, from: Wall, until: Wall) -> Vec<NaiveDate> {
    // The day on which the list comes is not whole, nor is the one on which it ends.
    let mut at = from + DAY_MS;
    let mut days = Vec::new();
    while zone.date(at) < zone.date(until) {
        let date = zone.date(at);
        if campaign.from.is_none_or(|d| d <= date) && campaign.to.is_none_or(|d| date <= d) {
            days.push(date);
        }
        at = at + DAY_MS;
    }
    days
}

/// What the list by itself plans on a station that has nothing of its own.
fn programme(
    list: &Arc<List>,
    source: &Arc<str>,
    station: &str,
    key: &str,
    since: Wall,
) -> Option<(Arc<Programme>, Zone)> {
    let quoted = |text: &str| Json::from(text).to_string();
    let station = if station.is_empty() { "xa" } else { station };
    let text = format!(
        "[station]\nid = {}\nname = \"x\"\ndevice_id = \"x\"\n[[source]]\nid = {}\norigin = \"tinh\"\n\
         url = \"https://x.example/playlist.json\"\npublic_keys = [{}]\n[output]\ndevice = \"null\"\n",
        quoted(station),
        quoted(source),
        quoted(key)
    );
    let config = Arc::new(read_config(text.as_bytes(), true).value?);
    let zone = config.station.timezone;
    let lists = [InForce { source: source.clone(), list: list.clone(), since }];
    Some((Arc::new(Programme::new(config, &lists).ok()?), zone))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::playlist::{Form, read_list};
    use serde_json::json;

    fn said(texts: Vec<Text>) -> Vec<String> {
        texts.iter().map(|t| t.say(Language::En)).collect()
    }

    #[test]
    fn changes_are_named_by_kind_and_id() {
        let before = json!({
            "serial": 7, "issued_at": "x", "clips": [{"id": "cd1", "gain_db": 1.0}, {"id": "cd2"}],
            "offers": [{"id": "o"}], "stations": ["xa-a", "xa-b"],
        });
        let after = json!({
            "serial": 8, "issued_at": "y", "clips": [{"id": "cd1", "gain_db": 2.0}, {"id": "cd3"}],
            "offers": [{"id": "o"}], "stations": ["xa-a"], "withdrawals": [{"clip": "cd2"}],
        });
        assert_eq!(
            said(changes(&before, &after, Language::En)),
            [
                "against list 7:",
                "  clips: added cd3; removed cd2; changed cd1",
                "  stations: removed xa-b",
                "  withdrawals: added cd2",
            ]
        );
        let again = json!({"serial": 8, "issued_at": "z", "expires_at": "w", "clips": before["clips"],
            "offers": before["offers"], "stations": before["stations"]});
        assert_eq!(changes(&before, &again, Language::En), [Text::PublishSame { serial: 7 }]);
        let many: Vec<Json> = (0..11).map(|n| json!({"id": format!("c{n}")})).collect();
        let added = said(changes(&json!({"serial": 1}), &json!({"clips": many}), Language::En));
        assert!(added[1].ends_with("c6, c7 (+3)"), "{added:?}");
    }

    const KEY: &str = "RWQ+UMYd4gbFu6xNYYXkYeg6kWpcJsdc9Sf5DOeBIsNtiDtSYvKKkuA4";

    fn published(more: &str) -> Arc<List> {
        let sha = |c: &str| c.repeat(64);
        let text = format!(
            r#"{{"format": 1, "source": "tinh", "serial": 1, "issued_at": "2022-10-01T08:00:00+07:00",
            "expires_at": "2022-10-11T08:00:00+07:00",
            "campaigns": [{{"id": "cds", "title": "Chuyển đổi số", "from": "2022-10-03", "to": "2022-10-06",
              "min_per_day": 3, "topics": [{{"id": "A", "title": "Chữ ký số", "min_per_day": 1}}, {{"id": "B", "title": "Trống", "min_per_day": 1}}]}}],
            "clips": [
              {{"id": "a", "title": "A", "kind": "ban_tin", "campaign": "cds", "topic": "A", "approved_by": "N", "approved_at": "2022-09-30",
                "sha256": "{}", "bytes": 10, "duration_ms": 60000, "gain_db": 0.0, "url": "clips/a.mp3"}},
              {{"id": "t", "title": "T", "kind": "nhac_hieu", "sha256": "{}", "bytes": 10, "duration_ms": 5000, "gain_db": 0.0, "url": "clips/t.mp3"}}]{more}}}"#,
            sha("a"),
            sha("b")
        );
        let reading = read_list(text.as_bytes(), Form::Published);
        Arc::new(reading.value.unwrap_or_else(|| panic!("{:?}", reading.findings)))
    }

    fn over(list: &Arc<List>) -> Vec<String> {
        let wall = |text| Wall::parse_rfc3339(text).unwrap();
        let life = (wall("2022-10-01T08:00:00+07:00"), wall("2022-10-11T08:00:00+07:00"));
        said(airtime(list, "xa-a", KEY, life, Language::En))
    }

    #[test]
    fn the_sum_says_what_a_day_holds_and_what_the_quota_lacks() {
        let offers = published(r#", "offers": [{"id": "o", "items": ["t", "a"]}]"#);
        assert_eq!(
            over(&offers),
            [
                "what it offers to the communes' own sessions: 1 min 5 s each time it is taken",
                "campaign \"Chuyển đổi số\" asks for 3 a day and has 1 clips; the list's own sessions bring 0 (fewest on 03/10/2022), the other 3 depend on the communes' sessions",
                "campaign \"Chuyển đổi số: Chữ ký số\" asks for 1 a day and has 1 clips; the list's own sessions bring 0 (fewest on 03/10/2022), the other 1 depend on the communes' sessions",
                "campaign \"Chuyển đổi số: Trống\" asks for 1 a day and no clip of this list belongs to it",
            ]
        );
        // Two sessions a day, one more on the 5th.
        let slots = published(
            r#", "slots": [{"id": "s", "name": "S", "at": ["06:00", "17:00"], "items": ["t", "a"]},
              {"id": "m", "name": "M", "at": "2022-10-05T12:00", "items": ["a", "a"]}]"#,
        );
        let lines = over(&slots);
        assert_eq!(lines[0], "sessions the list opens itself: at most 4 min 10 s a day (on 05/10/2022)");
        assert!(lines[1].contains("bring 2 (fewest on 03/10/2022), the other 1"), "{lines:?}");
        assert!(lines[2].contains("asks for 1 a day") && lines[2].contains("bring all of them"), "{lines:?}");
    }
}

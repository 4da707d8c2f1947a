//! Checks that need the whole station: config, the commune's own list and the lists from above together. Each file
//! has been read and is well formed; here it shows whether they fit each other.

use std::sync::Arc;

use chrono::{NaiveDate, TimeDelta};

use crate::domain::config::{Config, Origin};
use crate::domain::cron::Recurrence;
use crate::domain::fields::nearest;
use crate::domain::findings::{FileRole, Finding, Severity};
use crate::domain::playlist::{
    At, Clip, LOCAL, List, Offer, Priority, Ref, Skip, Slot, SlotKind, What, When, Withdrawn, known,
};
use crate::domain::quota;
use crate::domain::report::campaign::CampaignFacts;
use crate::domain::schedule::{InForce, Programme};
use crate::domain::text::Text;
use crate::domain::time::{DAY_MS, Wall, Zone};

/// How far ahead slots are looked at, in days: a year and a month, so that every special date comes by.
const AHEAD_DAYS: i64 = 400;
/// The sum of gains below which a clip is as good as silent (rule R2), in dB.
const LEAST_GAIN_DB: f64 = -30.0;

/// One list and whose it is.
#[derive(Clone, Copy)]
struct Held<'a> {
    role: FileRole,
    id: &'a str,
    origin: Origin,
    /// Whether it may open sessions.
    slots: bool,
    list: &'a List,
}

struct Checker<'a> {
    config: &'a Config,
    lists: Vec<Held<'a>>,
    today: NaiveDate,
    found: Vec<(FileRole, Finding)>,
}

/// Everything that needs several files. `sources` pairs the place in `[[source]]` with the list of that source, as
/// far as there is one; `today` is where looking ahead begins. An error stands only against the station's own
/// files: a list from above can make warnings, but cannot keep a station from running.
pub fn check_station(
    config: &Config,
    local: Option<&List>,
    sources: &[(usize, &List)],
    today: NaiveDate,
) -> Vec<(FileRole, Finding)> {
    let mut lists = Vec::new();
    if let Some(list) = local {
        lists.push(Held { role: FileRole::Local, id: LOCAL, origin: Origin::Xa, slots: true, list });
    }
    for (index, list) in sources {
        if let Some(source) = config.sources.get(*index) {
            let role = FileRole::Source(*index);
            lists.push(Held { role, id: &source.id, origin: source.origin, slots: source.slots, list });
        }
    }
    let mut checker = Checker { config, lists, today, found: Vec::new() };
    if config.local.is_none() {
        checker.add(FileRole::Station, Finding::advice("no_local", 0..0, Text::NoLocalTable {}));
    }
    checker.names();
    checker.references();
    checker.quiet();
    if local.is_some() || config.local.is_none() {
        // A list that is refused for now has no places: its own findings say what to do.
        checker.offers();
    }
    checker.gains();
    checker.permissions();
    if local.is_some() || config.local.is_none() {
        checker.quotas();
    }
    let mut found = checker.found;
    found.sort_by_key(|(role, f)| (*role, f.span.start, f.severity));
    found
}

impl<'a> Checker<'a> {
    fn add(&mut self, role: FileRole, mut finding: Finding) {
        if matches!(role, FileRole::Source(_)) && finding.severity == Severity::Error {
            finding.severity = Severity::Warning;
        }
        self.found.push((role, finding));
    }

    fn list(&self, id: &str) -> Option<Held<'a>> {
        self.lists.iter().find(|h| h.id == id).copied()
    }

    /// The list a reference means.
    fn target(&self, from: &Held<'a>, r: &Ref) -> Option<Held<'a>> {
        self.list(r.source.as_deref().unwrap_or(from.id))
    }

    fn names(&mut self) {
        for held in self.lists.clone() {
            if let (FileRole::Source(index), Some(found)) = (held.role, &held.list.source)
                && **found != *held.id
            {
                let text = Text::SourceNamesItself { found: found.to_string(), wanted: held.id.into() };
                let hint = Text::SourceId { line: format!("id = \"{found}\"") };
                // The key that can be changed here stands in the config.
                let span = self.config.sources[index].span.clone();
                self.add(FileRole::Station, Finding::warning("source_name", span, text).hint(hint));
            }
        }
    }

    /// References that name another list.
    fn references(&mut self) {
        for held in self.lists.clone() {
            let list = held.list;
            let items = list.slots.iter().flat_map(|s| &s.items).chain(list.offers.iter().flat_map(|o| &o.items));
            for item in items {
                match &item.what {
                    What::Clip(r) => self.reference(&held, r, "clip"),
                    What::Rotation(r) => self.reference(&held, r, "rotation"),
                    What::Offer(r) => self.reference(&held, r, "offer"),
                    What::Offers(_) => {}
                }
            }
            for r in list.rotations.iter().flat_map(|r| &r.clips).chain(list.emergencies.iter().map(|e| &e.clip)) {
                self.reference(&held, r, "clip");
            }
            for clip in &list.clips {
                let Some(campaign) = &clip.campaign else { continue };
                let before = self.found.len();
                self.reference(&held, campaign, "campaign");
                if let (Some(topic), true) = (&clip.topic, self.found.len() == before) {
                    self.topic(&held, campaign, topic);
                }
            }
            for day in &list.special_days {
                if let Skip::Slots(refs) = &day.skip {
                    for r in refs {
                        self.reference(&held, r, "slot");
                    }
                }
            }
            for w in &list.withdrawals {
                match &w.what {
                    Withdrawn::Clip(r) => self.reference(&held, r, "withdrawn clip"),
                    Withdrawn::Offer(r) => self.reference(&held, r, "withdrawn offer"),
                    Withdrawn::Slot(r) => self.reference(&held, r, "slot"),
                    Withdrawn::Emergency(r) => self.reference(&held, r, "withdrawn emergency"),
                }
            }
        }
    }

    fn reference(&mut self, held: &Held<'a>, r: &Ref, kind: &str) {
        let Some(source) = r.source.as_deref() else { return };
        if source == held.id || Some(source) == held.list.source.as_deref() {
            return; // its own: judged when it was read
        }
        let Some(target) = self.list(source) else {
            self.without_list(held, r, source);
            return;
        };
        let ids = ids(target.list, kind);
        if !ids.contains(&&*r.id) {
            let text = match kind {
                "campaign" => Text::MissingTopicAbove { id: r.id.to_string(), source: source.into() },
                "slot" | "withdrawn clip" | "withdrawn offer" | "withdrawn emergency" => {
                    Text::NothingAbove { id: r.id.to_string(), source: source.into() }
                }
                _ => Text::MissingAbove { id: r.id.to_string(), source: source.into() },
            };
            // What comes from above may come and go: no reason to refuse the commune's list.
            let mut finding = Finding::warning("unknown_ref", r.span.clone(), text);
            // Looking for the nearest of thousands, thousands of times, would take minutes.
            if self.found.len() < 50 {
                finding = finding.hint(match nearest(&r.id, ids.iter().copied()) {
                    Some(near) => Text::WriteId { id: format!("{source}/{near}") },
                    None => known(&r.id, &ids),
                });
            }
            self.add(held.role, finding);
        }
    }

    /// A reference into a list that is not here: fine while it has not come yet.
    fn without_list(&mut self, held: &Held<'a>, r: &Ref, source: &str) {
        if self.config.sources.iter().any(|s| *s.id == *source) {
            return;
        }
        let finding = if source == LOCAL {
            Finding::warning("unknown_ref", r.span.clone(), Text::LocalListMissing { id: r.id.to_string() })
        } else {
            let names: Vec<&str> = self.config.sources.iter().map(|s| &*s.id).collect();
            let hint = match nearest(source, names.iter().copied()) {
                Some(near) => Text::WriteId { id: format!("{near}/{}", r.id) },
                None => known(source, &names),
            };
            Finding::error("unknown_source", r.span.clone(), Text::UnknownSource { id: source.into() }).hint(hint)
        };
        self.add(held.role, finding);
    }

    fn topic(&mut self, held: &Held<'a>, campaign: &Ref, topic: &Ref) {
        let Some(target) = self.target(held, campaign).filter(|t| t.id != held.id) else { return };
        let Some(campaign) = target.list.campaigns.iter().find(|c| c.id == campaign.id) else { return };
        if campaign.topics.iter().any(|t| t.id == topic.id) {
            return;
        }
        let ids: Vec<&str> = campaign.topics.iter().map(|t| &*t.id).collect();
        let text = Text::MissingTopicAbove { id: topic.id.to_string(), source: target.id.into() };
        self.add(held.role, Finding::warning("unknown_ref", topic.span.clone(), text).hint(known(&topic.id, &ids)));
    }

    /// Slots and relay windows inside quiet hours, and times that the zone's clock skips.
    fn quiet(&mut self) {
        let quiet = self.config.quiet();
        let zone = self.config.station.timezone;
        let from = zone.midnight(self.today);
        let stretches = quiet.between(from, from + AHEAD_DAYS * DAY_MS);
        for held in self.lists.clone() {
            for slot in self.slots_of(&held) {
                let Ok(recurrence) = Recurrence::of(slot) else { continue };
                self.slot_in_quiet(&held, slot, &recurrence, &stretches, from);
                self.skipped_seconds(&held, slot, &recurrence);
            }
        }
    }

    fn slot_in_quiet(
        &mut self,
        held: &Held<'a>,
        slot: &Slot,
        recurrence: &Recurrence,
        stretches: &[(Wall, Wall)],
        from: Wall,
    ) {
        let zone = self.config.station.timezone;
        let own = held.role == FileRole::Local;
        let clock = |t: Wall| zone.local(t).format("%H:%M").to_string();
        let length = match slot.kind {
            SlotKind::Relay { length_ms } => length_ms,
            SlotKind::Session => 0,
        };
        for (index, (begin, end)) in stretches.iter().enumerate() {
            let next = recurrence.next_after((*begin).max(from) + -1, zone);
            let Some(at) = next else { break };
            if at < *end {
                let (slot_id, time, date, iso) = (slot.id.to_string(), clock(at), day(zone, at), iso(zone, at));
                let (quiet_from, to) = (clock(*begin), clock(*end));
                let text = match slot.kind {
                    SlotKind::Session => Text::SlotInQuiet { slot: slot_id, time, date, iso, from: quiet_from, to },
                    SlotKind::Relay { .. } => {
                        Text::RelayInQuiet { slot: slot_id, time, date, iso, from: quiet_from, to }
                    }
                };
                let until = stretches.get(index + 1).map_or_else(|| clock(*begin), |(next, _)| clock(*next));
                let hint =
                    if own { Text::MoveSlot { to: clock(*end), from: until } } else { Text::SourceSlotInQuiet {} };
                self.add(held.role, Finding::error("quiet_hours", slot.span.clone(), text).hint(hint));
                return;
            }
        }
        if length == 0 {
            return;
        }
        for (begin, _) in stretches.iter().filter(|(begin, _)| *begin > from) {
            let Some(at) = recurrence.next_after(*begin + -length, zone) else { break };
            if at < *begin {
                let (date, iso) = (day(zone, at), iso(zone, at));
                let text = Text::RelayIntoQuiet { slot: slot.id.to_string(), date, iso, at: clock(*begin) };
                self.add(held.role, Finding::warning("quiet_hours", slot.span.clone(), text));
                return;
            }
        }
    }

    fn skipped_seconds(&mut self, held: &Held<'a>, slot: &Slot, recurrence: &Recurrence) {
        let zone = self.config.station.timezone;
        if zone == Zone::default() {
            return; // no summer time since 1975
        }
        let from = self.today.and_time(chrono::NaiveTime::MIN);
        let skipped = recurrence.skipped_between(from, from + TimeDelta::days(AHEAD_DAYS), zone);
        if let Some(first) = skipped.first() {
            let text =
                Text::NoSuchSecond { slot: slot.id.to_string(), text: first.format("%H:%M %d/%m/%Y").to_string() };
            self.add(held.role, Finding::warning("no_such_time", slot.span.clone(), text));
        }
    }

    fn is_for(&self, held: &Held<'a>, stations: &Option<Vec<String>>) -> bool {
        let station = &self.config.station.id;
        held.list.is_for(&held.list.stations, station) && held.list.is_for(stations, station)
    }

    /// The slots of a list that are meant for this station.
    fn slots_of(&self, held: &Held<'a>) -> Vec<&'a Slot> {
        held.list.slots.iter().filter(|s| self.is_for(held, &s.stations)).collect()
    }

    /// Offers for which no session has a place (rule R5).
    fn offers(&mut self) {
        for held in self.lists.clone() {
            for offer in &held.list.offers {
                let over = offer.dates.to.is_some_and(|to| to < self.today);
                if over || !self.is_for(&held, &offer.stations) || self.has_place(&held, offer) {
                    continue;
                }
                let name = format!("{}/{}", held.id, offer.id);
                let span = offer.span.clone();
                let finding = if offer.priority >= Priority::Priority {
                    Finding::warning("offer_without_place", span, Text::OfferWithoutPlace { offer: name })
                        .hint(Text::AddOffersPlace {})
                } else {
                    let line = format!("{{ offer = \"{name}\" }}");
                    Finding::advice("offer_without_place", span, Text::OfferToTake { offer: name })
                        .hint(Text::AddOffer { line })
                };
                self.add(held.role, finding);
            }
        }
    }

    /// Campaigns that cannot reach their quota: looked at when nothing else is wrong, since it would follow from that.
    fn quotas(&mut self) {
        if self.found.iter().any(|(_, f)| f.severity != Severity::Advice) {
            return;
        }
        let facts = |held: &Held<'a>| -> Vec<CampaignFacts> {
            held.list.campaigns.iter().map(|c| CampaignFacts::of_list(held.id, c)).collect()
        };
        let all: Vec<CampaignFacts> = self.lists.iter().flat_map(facts).collect();
        if quota::days_ahead(&all, self.today, AHEAD_DAYS as u32).is_none() {
            return;
        }
        let in_force = self.lists.iter().map(|held| InForce {
            source: held.id.into(),
            list: Arc::new(held.list.clone()),
            since: Wall::default(),
        });
        let in_force: Vec<_> = in_force.collect();
        // A slot that cannot be understood is a finding of its own.
        let Ok(programme) = Programme::new(Arc::new(self.config.clone()), &in_force) else { return };
        let programme = Arc::new(programme);
        for held in self.lists.clone() {
            let short = quota::short_ahead(&programme, &facts(&held), self.today, AHEAD_DAYS as u32);
            for short in short {
                let campaign = held.list.campaigns.iter().find(|c| short.campaign.ends_with(&format!("/{}", c.id)));
                let span = campaign.map(|c| c.span.clone()).unwrap_or_default();
                self.add(held.role, Finding::warning("quota_short", span, short.text()).hint(Text::QuotaMore {}));
            }
        }
    }

    fn has_place(&self, of: &Held<'a>, offer: &Offer) -> bool {
        let first = offer.dates.from.map_or(self.today, |from| from.max(self.today));
        let dates: Vec<NaiveDate> = first
            .iter_days()
            .take(AHEAD_DAYS as usize)
            .take_while(|d| offer.dates.to.is_none_or(|to| *d <= to))
            .filter(|d| offer.dates.contain(*d))
            .collect();
        let own = self.lists.iter().filter(|h| h.slots && h.origin.is_own());
        own.into_iter().any(|held| {
            held.list.slots.iter().filter(|s| self.is_for(held, &s.stations)).any(|slot| {
                slot.items.iter().any(|item| {
                    let takes = match &item.what {
                        What::Offers(least) => offer.priority >= *least,
                        What::Offer(r) => r.id == offer.id && self.target(held, r).is_some_and(|t| t.role == of.role),
                        _ => false,
                    };
                    takes && dates.iter().any(|d| slot.dates.contain(*d) && item.dates.contain(*d))
                })
            })
        })
    }

    /// Sums of gains (rule R2).
    fn gains(&mut self) {
        for held in self.lists.clone() {
            for slot in self.slots_of(&held) {
                // One clip stands for all: the quietest, else the loudest.
                let sums = self.slot_gains(&held, slot);
                let quietest = sums.iter().copied().min_by(|a, b| a.1.total_cmp(&b.1));
                let loudest = sums.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1));
                let words =
                    |(clip, gain): (&Clip, f64)| (format!("{gain:.1}"), clip.id.to_string(), slot.id.to_string());
                let span = slot.span.clone();
                let finding = if let Some(sum) = quietest.filter(|(_, gain)| *gain < LEAST_GAIN_DB) {
                    let (sum, clip, slot) = words(sum);
                    Finding::error("gain_sum", span, Text::GainTooLow { sum, clip, slot })
                } else if let Some(sum) = loudest.filter(|(_, gain)| *gain > 0.0) {
                    let (sum, clip, slot) = words(sum);
                    Finding::advice("gain_sum", span, Text::GainTooHigh { sum, clip, slot })
                } else {
                    continue;
                };
                self.add(held.role, finding.hint(Text::GainParts {}));
            }
        }
    }

    /// Every clip a slot may play by its own items, with the sum of gains at its planned time.
    fn slot_gains(&self, held: &Held<'a>, slot: &Slot) -> Vec<(&'a Clip, f64)> {
        let starts: Vec<chrono::NaiveTime> = match &slot.when {
            When::At(times) => times
                .iter()
                .map(|at| match at {
                    At::Daily(time) => *time,
                    At::Once(moment) => moment.time(),
                })
                .collect(),
            When::Cron(_) => {
                let zone = self.config.station.timezone;
                let first = Recurrence::of(slot).ok().and_then(|r| r.next_after(zone.midnight(self.today), zone));
                first.map(|t| zone.local(t).time()).into_iter().collect()
            }
        };
        let mut sums = Vec::new();
        for start in starts {
            let mut offset = TimeDelta::zero();
            for item in &slot.items {
                let clips = self.clips_of(held, &item.what);
                let planned = start + offset;
                let base = self.config.output.gain_db + self.config.daypart_gain_db(planned) + slot.gain_db;
                sums.extend(clips.iter().map(|clip| (*clip, base + clip.gain_db)));
                let length = clips.first().and_then(|c| c.duration_ms).unwrap_or(0);
                offset += TimeDelta::milliseconds(length);
            }
        }
        sums
    }

    fn clips_of(&self, held: &Held<'a>, what: &What) -> Vec<&'a Clip> {
        match what {
            What::Clip(r) => self.target(held, r).and_then(|t| t.list.clip(&r.id)).into_iter().collect(),
            What::Rotation(r) => {
                let Some(target) = self.target(held, r) else { return Vec::new() };
                let rotation = target.list.rotations.iter().find(|x| x.id == r.id);
                rotation
                    .into_iter()
                    .flat_map(|rotation| &rotation.clips)
                    .filter_map(|r| self.target(&target, r).and_then(|t| t.list.clip(&r.id)))
                    .collect()
            }
            What::Offer(_) | What::Offers(_) => Vec::new(),
        }
    }

    /// What a source may not do, and entries of the commune's own list that are meant for others.
    fn permissions(&mut self) {
        for held in self.lists.clone() {
            let for_us: Vec<bool> = held.list.slots.iter().map(|s| self.is_for(&held, &s.stations)).collect();
            for (slot, ours) in held.list.slots.iter().zip(for_us) {
                if held.role == FileRole::Local && !ours {
                    let id = slot.stations.iter().flatten().next().cloned().unwrap_or_default();
                    self.add(
                        held.role,
                        Finding::warning("not_for_us", slot.span.clone(), Text::UnknownStation { id })
                            .hint(Text::WriteLine { line: format!("stations = [\"{}\"]", self.config.station.id) }),
                    );
                } else if ours && !held.slots {
                    let text = Text::SourceSlotsOff { source: held.id.into() };
                    self.add(held.role, Finding::advice("slots_off", slot.span.clone(), text));
                }
            }
            let may = match held.role {
                FileRole::Source(index) => self.config.sources[index].emergency,
                _ => self.config.local.as_ref().is_none_or(|l| l.emergency),
            };
            let zone = self.config.station.timezone;
            for emergency in &held.list.emergencies {
                if !may && self.is_for(&held, &emergency.stations) && zone.date(emergency.until) >= self.today {
                    let text = Text::EmergencyNotAllowed { id: emergency.id.to_string() };
                    self.add(held.role, Finding::advice("emergency_off", emergency.span.clone(), text));
                }
            }
        }
    }
}

fn iso(zone: Zone, at: Wall) -> String {
    zone.date(at).to_string()
}

fn day(zone: Zone, at: Wall) -> String {
    zone.local(at).format("%d/%m/%Y").to_string()
}

fn ids<'l>(list: &'l List, kind: &str) -> Vec<&'l str> {
    match kind.trim_start_matches("withdrawn ") {
        "clip" => list.clips.iter().map(|x| &*x.id).collect(),
        "rotation" => list.rotations.iter().map(|x| &*x.id).collect(),
        "offer" => list.offers.iter().map(|x| &*x.id).collect(),
        "campaign" => list.campaigns.iter().map(|x| &*x.id).collect(),
        "slot" => list.slots.iter().map(|x| &*x.id).collect(),
        _ => list.emergencies.iter().map(|x| &*x.id).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::config::read_config;
    use crate::domain::playlist::{Form, read_list};

    const STATION: &str = "[station]\nid='xa'\nname='Xã'\n[local]\n[[source]]\nid='tinh'\norigin='tinh'\nurl='https://a.vn/playlist.json'\npublic_keys=['RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3']\n";
    const CLIP: &str = "[[clips]]\nid='a'\nfile='a.mp3'\ntitle='A'\nkind='nhac_hieu'\n";

    fn found(config: &str, local: &str, source: &str) -> Vec<(FileRole, &'static str, Severity)> {
        let config = read_config(config.as_bytes(), false);
        let config = config.value.unwrap_or_else(|| panic!("{:?}", config.findings));
        let local = read_list(local.as_bytes(), Form::Local);
        let local = local.value.unwrap_or_else(|| panic!("{:?}", local.findings));
        let source = (!source.is_empty()).then(|| read_list(source.as_bytes(), Form::Handwritten).value.unwrap());
        let sources: Vec<_> = source.iter().map(|s| (0, s)).collect();
        let today = "2022-10-01".parse().unwrap();
        check_station(&config, Some(&local), &sources, today)
            .into_iter()
            .map(|(role, f)| (role, f.code, f.severity))
            .collect()
    }

    fn slot(lines: &str) -> String {
        format!("{CLIP}[[slots]]\nid='s'\n{lines}\n")
    }

    #[test]
    fn a_slot_in_quiet_hours_refuses_the_own_list_and_warns_of_others() {
        let local = slot("at='03:15'\nitems=['a']");
        assert_eq!(found(STATION, &local, ""), [(FileRole::Local, "quiet_hours", Severity::Error)]);
        let source = format!("source='tinh'\n{local}");
        assert_eq!(found(STATION, CLIP, &source), [(FileRole::Source(0), "quiet_hours", Severity::Warning)]);
        assert_eq!(found(STATION, &slot("at='05:00'\nitems=['a']"), ""), []);
        assert_eq!(found(STATION, &slot("at='20:59:59'\nitems=['a']"), ""), []);
        assert_eq!(found(STATION, &slot("at='21:00'\nitems=['a']"), "").len(), 1);
        assert_eq!(found(STATION, &slot("cron='*/5 3 * * T2'\nitems=['a']"), "").len(), 1);
    }

    #[test]
    fn an_open_night_lets_a_slot_of_that_night_pass() {
        let config = format!("{STATION}[[quiet_open]]\ndate='2023-01-21'\nfrom='23:30'\nto='00:30'\nby='A'\n");
        assert_eq!(found(&config, &slot("at='2023-01-21T23:50'\nitems=['a']"), ""), []);
        assert_eq!(found(&config, &slot("at='2023-01-22T00:31'\nitems=['a']"), "").len(), 1);
    }

    #[test]
    fn a_relay_in_quiet_hours_is_refused_and_one_that_runs_into_them_is_told() {
        let relay = |at: &str| slot(&format!("kind='relay'\nat='{at}'\nlength='15m'"));
        assert_eq!(found(STATION, &relay("03:15"), ""), [(FileRole::Local, "quiet_hours", Severity::Error)]);
        assert_eq!(found(STATION, &relay("20:50"), ""), [(FileRole::Local, "quiet_hours", Severity::Warning)]);
        assert_eq!(found(STATION, &relay("20:45"), ""), []);
    }

    #[test]
    fn names_of_other_lists_are_looked_up() {
        let source = format!("source='tinh'\n{CLIP}");
        assert_eq!(found(STATION, &slot("at='06:00'\nitems=['tinh/a']"), &source), []);
        assert_eq!(found(STATION, &slot("at='06:00'\nitems=['tinh/b']"), ""), [], "no list yet");
        assert_eq!(
            found(STATION, &slot("at='06:00'\nitems=['tinh/b']"), &source),
            [(FileRole::Local, "unknown_ref", Severity::Warning)]
        );
        assert_eq!(
            found(STATION, &slot("at='06:00'\nitems=['tin/b']"), &source),
            [(FileRole::Local, "unknown_source", Severity::Error)]
        );
        assert_eq!(
            found(STATION, &slot("at='06:00'\nitems=['a']"), &format!("source='huyen'\n{CLIP}")),
            [(FileRole::Station, "source_name", Severity::Warning)]
        );
    }

    #[test]
    fn an_offer_needs_a_place() {
        let offer = |more: &str| format!("source='tinh'\n{CLIP}[[offers]]\nid='o'\nitems=['a']\n{more}\n");
        let plain = slot("at='06:00'\nitems=['a']");
        let place = slot("at='06:00'\nitems=['a', { offers='priority' }]");
        let warning = [(FileRole::Source(0), "offer_without_place", Severity::Warning)];
        assert_eq!(found(STATION, &plain, &offer("priority='priority'")), warning);
        assert_eq!(found(STATION, &place, &offer("priority='priority'")), []);
        assert_eq!(found(STATION, &plain, &offer("priority='priority'\nto='2022-09-30'")), []);
        let normal = [(FileRole::Source(0), "offer_without_place", Severity::Advice)];
        assert_eq!(found(STATION, &place, &offer("")), normal);
        assert_eq!(found(STATION, &slot("at='06:00'\nitems=[{ offer='tinh/o' }]"), &offer("")), []);
        let late = slot("at='06:00'\nfrom='2022-11-01'\nitems=[{ offers='priority' }]");
        assert_eq!(found(STATION, &late, &offer("priority='priority'\nto='2022-10-10'")), warning);
    }

    #[test]
    fn gains_that_add_up_to_silence_are_refused() {
        let config = format!("{STATION}[output]\ngain_db=-10\n[[daypart]]\nfrom='05:00'\nto='06:00'\ngain_db=-15\n");
        let at = |time: &str| slot(&format!("at='{time}'\ngain_db=-8\nitems=['a']"));
        assert_eq!(found(&config, &at("05:30"), ""), [(FileRole::Local, "gain_sum", Severity::Error)]);
        assert_eq!(found(&config, &at("06:00"), ""), []);
        let loud = slot("at='06:00'\ngain_db=3\nitems=['a']");
        assert_eq!(found(STATION, &loud, ""), [(FileRole::Local, "gain_sum", Severity::Advice)]);
    }

    #[test]
    fn a_second_that_summer_time_skips_is_told() {
        let config = STATION.replace("name='Xã'", "name='Xã'\ntimezone='Europe/Berlin'")
            + "[quiet_hours]\nfrom='21:00'\nto='01:00'\nshorter_by='12'\n";
        let local = slot("at='02:30'\nitems=['a']");
        assert_eq!(found(&config, &local, ""), [(FileRole::Local, "no_such_time", Severity::Warning)]);
    }
}

//! The quota of a campaign: how many of its airings a day were aired, are planned and were asked for, by topic. A day
//! that cannot reach its quota is found as soon as the list is there.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;

use crate::domain::airing::{Airing, Outcome, Reason};
use crate::domain::playlist::SlotKind;
use crate::domain::report::campaign::CampaignFacts;
use crate::domain::report::output_counts;
use crate::domain::schedule::{InForce, Planned, Programme, Walk};
use crate::domain::text::Text;
use crate::domain::time::{Wall, Zone, next_day};

/// Airings by campaign (`SOURCE/ID`), day and topic (`SOURCE/ID`, none for clips of no topic).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<(String, NaiveDate), BTreeMap<Option<String>, u32>>);

impl Counts {
    fn add(&mut self, campaign: &str, date: NaiveDate, topic: Option<&str>) {
        let day = self.0.entry((campaign.to_owned(), date)).or_default();
        *day.entry(topic.map(str::to_owned)).or_default() += 1;
    }

    /// All of a campaign's airings on a day, or those of one topic.
    pub fn on(&self, campaign: &str, date: NaiveDate, topic: Option<&str>) -> u32 {
        let Some(day) = self.0.get(&(campaign.to_owned(), date)) else { return 0 };
        match topic {
            None => day.values().sum(),
            Some(topic) => day.iter().filter(|(t, _)| t.as_deref() == Some(topic)).map(|(_, n)| n).sum(),
        }
    }
}

/// What the log says of campaigns, day by day: what was planned, and what of it was aired to an output that counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Airings with a row, but for those that a rule or a person forbade.
    pub planned: Counts,
    /// Aired whole.
    pub aired: Counts,
}

impl History {
    /// Takes a row in.
    pub fn add(&mut self, (campaign, topic): (&str, Option<&str>), date: NaiveDate, outcome: Outcome, output: &str) {
        if outcome != Outcome::Blocked {
            self.planned.add(campaign, date, topic);
        }
        if outcome == Outcome::Aired && output_counts(output, false) {
            self.aired.add(campaign, date, topic);
        }
    }

    /// Takes in what another part of the log says.
    pub fn join(&mut self, other: History) {
        for (counts, others) in [(&mut self.planned, other.planned), (&mut self.aired, other.aired)] {
            for (day, topics) in others.0 {
                let known = counts.0.entry(day).or_default();
                for (topic, n) in topics {
                    *known.entry(topic).or_default() += n;
                }
            }
        }
    }

    /// Days before this one are of no more use.
    pub fn forget_before(&mut self, date: NaiveDate) {
        for counts in [&mut self.planned, &mut self.aired] {
            counts.0.retain(|(_, day), _| *day >= date);
        }
    }
}

/// The campaigns of lists.
pub fn campaigns(lists: &[InForce]) -> Vec<CampaignFacts> {
    lists.iter().flat_map(|l| l.list.campaigns.iter().map(|c| CampaignFacts::of_list(&l.source, c))).collect()
}

/// Whether an item will sound, as far as the plan tells. Audio that was not looked for yet is no reason why not.
fn will_sound(item: &Planned, programme: &Programme) -> bool {
    let unmeasured = item.clip.as_ref().is_some_and(|c| c.duration_ms.is_none() && c.unfit.is_none());
    match item.forbidden {
        Some(Reason::ClipMissing) if unmeasured => {}
        Some(_) => return false,
        None => {}
    }
    programme.quiet.quiet_until(item.planned_at).is_none()
}

/// What is planned of every campaign in `[from, until)`.
pub fn planned(programme: &Arc<Programme>, from: Wall, until: Wall) -> Counts {
    let mut counts = Counts::default();
    let mut walk = Walk::new(programme.clone(), from);
    while let Some(session) = walk.next_before(until) {
        if matches!(session.kind, SlotKind::Relay { .. }) {
            continue;
        }
        for item in session.items.iter().filter(|i| will_sound(i, programme)) {
            if let Some(clip) = &item.clip
                && let Some(campaign) = &clip.campaign_id
            {
                counts.add(campaign, programme.zone.date(item.planned_at), clip.topic_id.as_deref());
            }
        }
    }
    counts
}

/// What was aired of every campaign, by the planned time.
pub fn aired<'a>(airings: impl IntoIterator<Item = &'a Airing>, zone: Zone) -> Counts {
    let mut counts = Counts::default();
    for airing in airings.into_iter().filter(|a| a.outcome == Outcome::Aired) {
        if let (Some(campaign), Some(planned)) = (&airing.campaign_id, Wall::parse_rfc3339(&airing.planned_at)) {
            counts.add(campaign, zone.date(planned), airing.topic_id.as_deref());
        }
    }
    counts
}

/// How far a campaign is on one day, whole or by topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The day.
    pub date: NaiveDate,
    /// `SOURCE/ID`; none: all topics together.
    pub topic: Option<String>,
    /// Aired whole.
    pub aired: u32,
    /// In the plan.
    pub planned: u32,
    /// Asked for.
    pub quota: Option<u32>,
}

/// How far a campaign is on each of its days in `[from, to]`: all together, then each topic.
pub fn standing(
    facts: &CampaignFacts,
    planned: &Counts,
    aired: &Counts,
    (from, to): (NaiveDate, NaiveDate),
) -> Vec<Standing> {
    let mut out = Vec::new();
    for date in facts.days().into_iter().filter(|d| from <= *d && *d <= to) {
        let whole = [(None, facts.min_per_day)];
        let topics = facts.topics.iter().map(|(id, _, n)| (Some(id.as_str()), *n));
        for (topic, quota) in whole.into_iter().chain(topics) {
            out.push(Standing {
                date,
                topic: topic.map(str::to_owned),
                aired: aired.on(&facts.id, date, topic),
                planned: planned.on(&facts.id, date, topic),
                quota,
            });
        }
    }
    out
}

/// Days on which a campaign cannot reach its quota.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Short {
    /// `SOURCE/ID`
    pub campaign: String,
    /// Its name.
    pub title: String,
    /// `SOURCE/ID`; none: all topics together.
    pub topic: Option<String>,
    /// The first such day.
    pub date: NaiveDate,
    /// How many there are.
    pub days: u32,
    /// What is planned on the first.
    pub planned: u32,
    /// What is asked for.
    pub quota: u32,
}

impl Short {
    fn name(&self) -> String {
        match &self.topic {
            None => self.title.clone(),
            Some(topic) => format!("{} ({topic})", self.title),
        }
    }

    fn shown_date(&self) -> String {
        self.date.format("%d/%m/%Y").to_string()
    }

    /// The sentence for people.
    pub fn text(&self) -> Text {
        let (campaign, date, planned, quota) = (self.name(), self.shown_date(), self.planned, self.quota);
        match self.days {
            1 => Text::QuotaShort { campaign, date, planned, quota },
            days => Text::QuotaShortDays { campaign, date, planned, quota, days },
        }
    }

    /// The daemon's alarm: the sentence with what to do.
    pub fn alarm(&self) -> Text {
        let (campaign, date, planned, quota) = (self.name(), self.shown_date(), self.planned, self.quota);
        Text::QuotaShortAlarm { campaign, date, planned, quota, days: self.days }
    }
}

/// The campaigns that cannot reach their quota on some day in `[from, to]` with what is planned then, one entry for
/// each campaign and topic.
pub fn short(facts: &[CampaignFacts], planned: &Counts, (from, to): (NaiveDate, NaiveDate)) -> Vec<Short> {
    let mut out: Vec<Short> = Vec::new();
    for facts in facts {
        for day in standing(facts, planned, &Counts::default(), (from, to)) {
            let Some(quota) = day.quota.filter(|q| day.planned < *q) else { continue };
            match out.iter_mut().find(|s| s.campaign == facts.id && s.topic == day.topic) {
                Some(known) => known.days += 1,
                None => out.push(Short {
                    campaign: facts.id.clone(),
                    title: facts.title.clone(),
                    topic: day.topic,
                    date: day.date,
                    days: 1,
                    planned: day.planned,
                    quota,
                }),
            }
        }
    }
    out
}

/// The days worth looking at: those of campaigns with a quota, from today on, at most so many. None when there is
/// none.
pub fn days_ahead(facts: &[CampaignFacts], today: NaiveDate, most: u32) -> Option<(NaiveDate, NaiveDate)> {
    let asked = facts.iter().filter(|f| f.min_per_day.is_some() || f.topics.iter().any(|(.., n)| n.is_some()));
    let days = asked.filter_map(|f| Some((f.from?.max(today), f.to?))).filter(|(from, to)| from <= to);
    let (from, to) = days.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
    let last = today.checked_add_days(chrono::Days::new(u64::from(most))).unwrap_or(to);
    (from <= last).then(|| (from, to.min(last)))
}

/// How far a campaign is on each of its days within so many before and after today: past days by what the log says
/// was planned, the others by the plan.
pub fn standing_about(
    facts: &CampaignFacts,
    ahead: &Counts,
    history: &History,
    today: NaiveDate,
    most: u32,
) -> Vec<Standing> {
    let days = chrono::Days::new(u64::from(most));
    let first = today.checked_sub_days(days).unwrap_or(today);
    let last = today.checked_add_days(days).unwrap_or(today);
    let yesterday = today.pred_opt().unwrap_or(today);
    let mut out = standing(facts, &history.planned, &history.aired, (first, yesterday));
    out.extend(standing(facts, ahead, &history.aired, (today, last)));
    out
}

/// What is planned of dated campaigns from today on, at most so many days, and where that falls short of a quota.
pub fn ahead(programme: &Arc<Programme>, facts: &[CampaignFacts], today: NaiveDate, most: u32) -> (Counts, Vec<Short>) {
    let last = today.checked_add_days(chrono::Days::new(u64::from(most))).unwrap_or(today);
    let days = facts.iter().filter_map(|f| Some((f.from?.max(today), f.to?.min(last))));
    let Some((from, to)) = days.filter(|(from, to)| from <= to).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))) else {
        return Default::default();
    };
    let zone = programme.zone;
    let planned = planned(programme, zone.midnight(from), zone.midnight(next_day(to)));
    let short = short(facts, &planned, (from, to));
    (planned, short)
}

/// [`short`] over [`days_ahead`], with the programme's own plan.
pub fn short_ahead(programme: &Arc<Programme>, facts: &[CampaignFacts], today: NaiveDate, most: u32) -> Vec<Short> {
    let Some((from, to)) = days_ahead(facts, today, most) else { return Vec::new() };
    let zone = programme.zone;
    let planned = planned(programme, zone.midnight(from), zone.midnight(next_day(to)));
    short(facts, &planned, (from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_counts_what_was_heard_and_what_was_not_forbidden() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let first = day("2022-10-05");
        let mut history = History::default();
        let rows = [
            (Some("tinh/CD1"), Outcome::Aired, "default"),
            (Some("tinh/CD1"), Outcome::Partial, "default"),
            (Some("tinh/CD2"), Outcome::Blocked, "default"),
            (None, Outcome::Aired, "null"),
            (None, Outcome::Aired, "wav:thu.wav"),
        ];
        for (topic, outcome, output) in rows {
            history.add(("tinh/cds", topic), first, outcome, output);
        }
        let of = |history: &History, topic| {
            let on = |counts: &Counts| counts.on("tinh/cds", first, topic);
            (on(&history.aired), on(&history.planned))
        };
        assert_eq!(of(&history, None), (1, 4));
        assert_eq!(of(&history, Some("tinh/CD1")), (1, 2));
        assert_eq!(of(&history, Some("tinh/CD2")), (0, 0));
        let facts = CampaignFacts {
            id: "tinh/cds".into(),
            title: "Chuyển đổi số".into(),
            doc_number: None,
            doc_date: None,
            from: Some(day("2022-10-01")),
            to: Some(day("2022-10-10")),
            min_per_day: Some(2),
            topics: Vec::new(),
            listed: true,
        };
        let mut ahead = Counts::default();
        ahead.add("tinh/cds", day("2022-10-06"), None);
        // Past days by the rows, today and later by the plan.
        let days = standing_about(&facts, &ahead, &history, day("2022-10-06"), 2);
        let days: Vec<_> = days.iter().map(|s| (s.date.to_string(), s.aired, s.planned, s.quota)).collect();
        let is = |date: &str, aired, planned| (date.to_owned(), aired, planned, Some(2));
        assert_eq!(
            days,
            [
                is("2022-10-04", 0, 0),
                is("2022-10-05", 1, 4),
                is("2022-10-06", 0, 1),
                is("2022-10-07", 0, 0),
                is("2022-10-08", 0, 0)
            ]
        );
        history.forget_before(day("2022-10-06"));
        assert_eq!(history, History::default());
    }
}

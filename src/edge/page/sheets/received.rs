//! The page of what was received: the lists in force with their campaigns, offers, emergencies, withdrawals and clips.

use std::fmt::Write as _;

use chrono::NaiveDate;

use super::{Sheet, day, esc};
use crate::domain::playlist::{Campaign, Clip, Dates, LOCAL, List, Offer, What, Withdrawn};
use crate::domain::text::{Text, clip_kind_words, length_words, origin_words, priority_words};
use crate::edge::page::view::Plan;

impl Sheet<'_> {
    pub(super) fn dates(&self, from: Option<NaiveDate>, to: Option<NaiveDate>) -> String {
        if from.is_none() && to.is_none() {
            return String::new();
        }
        let from = from.map_or_else(|| Text::PageOpenBeginning {}.say(self.language), day);
        let to = to.map_or_else(|| Text::PageOpenEnd {}.say(self.language), day);
        self.t(Text::PageDates { from, to })
    }

    /// Everything the lists from above brought.
    pub fn received(&self, plan: &Plan) -> String {
        let mut content = format!("<h1>{}</h1>", self.t(Text::PageReceived {}));
        if self.view.above.is_empty() && self.view.urgent.is_empty() {
            let _ = write!(content, "<p>{}</p>", self.t(Text::PageNothingReceived {}));
        }
        for above in &self.view.above {
            let level = above.origin.map_or("", |o| origin_words(o, self.language)).to_owned();
            let head = self.t(Text::PageList { source: above.source.to_string(), level });
            let line = self.t(Text::PageListLine {
                serial: above.serial.to_string(),
                since: self.moment(above.since),
                expires: self.moment(above.expires_at),
            });
            let _ = write!(content, "<section><h2>{head}</h2><p class=\"small\">{line}</p>");
            self.campaigns(&mut content, plan, &above.source, &above.list);
            self.offers(&mut content, plan, &above.source, &above.list);
            self.emergencies(&mut content, &above.list);
            self.withdrawals(&mut content, &above.list);
            let _ = write!(content, "<h3>{}</h3>", self.t(Text::PageClips {}));
            for clip in &above.list.clips {
                content.push_str(&self.clip(plan, &above.source, &above.list, clip));
            }
            content.push_str("</section>");
        }
        for above in &self.view.urgent {
            let over = above.expires_at <= self.view.now;
            let line = self.t(Text::PageListLine {
                serial: above.serial.to_string(),
                since: self.moment(above.since),
                expires: self.moment(above.expires_at),
            });
            let _ = write!(
                content,
                "<section class=\"emergency\"><h2>{}</h2><p class=\"small\">{line}{}</p>",
                self.t(Text::PageUrgent { source: above.source.to_string() }),
                if over {
                    format!(" <span class=\"bad\">{}</span>", self.t(Text::PageUrgentOver {}))
                } else {
                    String::new()
                },
            );
            self.emergencies(&mut content, &above.list);
            self.withdrawals(&mut content, &above.list);
            for clip in &above.list.clips {
                content.push_str(&self.clip(plan, &above.source, &above.list, clip));
            }
            content.push_str("</section>");
        }
        self.page("/received", &self.t(Text::PageReceived {}), &content)
    }

    pub(super) fn campaigns(&self, out: &mut String, plan: &Plan, source: &str, list: &List) {
        for campaign in &list.campaigns {
            let full = format!("{source}/{}", campaign.id);
            let _ = write!(
                out,
                "<article><p class=\"label\">{}</p><h3>{}</h3><p>",
                self.t(Text::PageCampaign {}),
                esc(&campaign.title)
            );
            if let Some(number) = &campaign.doc_number {
                let date = campaign.doc_date.map_or_else(|| "-".into(), day);
                let _ = write!(out, "{}<br>", self.t(Text::PageDocument { number: number.clone(), date }));
            }
            let _ = write!(out, "{}</p>", self.dates(campaign.from, campaign.to));
            let _ = write!(out, "<p>{}</p>", self.quota(plan, &full, campaign));
            if !campaign.topics.is_empty() {
                out.push_str("<ul>");
                for topic in &campaign.topics {
                    let _ = write!(out, "<li>{}: {}", esc(&topic.id), esc(&topic.title));
                    if let Some(per_day) = topic.min_per_day {
                        let _ = write!(out, "; {}", self.t(Text::PageQuota { per_day }));
                        let name = format!("{source}/{}", topic.id);
                        out.push_str(&self.short_of(&full, Some(&name)));
                    }
                    out.push_str("</li>");
                }
                out.push_str("</ul>");
            }
            let of_campaign =
                self.coming(plan, |i| i.clip.as_ref().is_some_and(|c| c.campaign_id.as_deref() == Some(full.as_str())));
            let _ = write!(out, "<p>{of_campaign}</p></article>");
        }
    }

    /// What a campaign asks for, and whether the plan can keep it.
    pub(super) fn quota(&self, plan: &Plan, full: &str, campaign: &Campaign) -> String {
        let Some(per_day) = campaign.min_per_day else {
            let topics = campaign.topics.iter().any(|t| t.min_per_day.is_some());
            return if topics { String::new() } else { self.t(Text::PageNoQuota {}) };
        };
        let quota = self.t(Text::PageQuota { per_day });
        let today = plan.today;
        let short = self.short_of(full, None);
        let standing = if campaign.to.is_some_and(|to| to < today) {
            format!(": {}", self.t(Text::PageCampaignOver {}))
        } else if !short.is_empty() {
            short
        } else if let (Some(from), Some(to)) = (campaign.from, campaign.to) {
            // The daemon looks a month ahead, and what is short there is told above.
            let last = today + chrono::Days::new(31);
            if from > last {
                format!(": {}", self.t(Text::PageCampaignLater {}))
            } else {
                let kept = Text::PageQuotaKept { from: day(from.max(today)), to: day(to.min(last)) };
                format!(": <span class=\"good\">{}</span>", self.t(kept))
            }
        } else {
            match self.reach(plan, full, per_day, campaign.from, campaign.to) {
                reach if reach.is_empty() => reach,
                reach => format!(": {reach}"),
            }
        };
        quota + &standing
    }

    /// The first day on which a campaign, or one of its topics, has too few airings in the plan.
    pub(super) fn short_of(&self, campaign: &str, topic: Option<&str>) -> String {
        let found = self.view.short.iter().find(|s| s.campaign == campaign && s.topic.as_deref() == topic);
        found.map_or_else(String::new, |short| {
            let text = self.t(Text::PageQuotaShort { date: day(short.date), planned: short.planned as usize });
            format!(": <span class=\"bad\">{text}</span>")
        })
    }

    /// Whether the plan of the whole days to come keeps a quota.
    pub(super) fn reach(
        &self,
        plan: &Plan,
        campaign: &str,
        per_day: u32,
        from: Option<NaiveDate>,
        to: Option<NaiveDate>,
    ) -> String {
        let zone = self.zone();
        let mut days = Vec::new();
        let mut date = plan.today;
        for _ in 0..7 {
            date = crate::domain::time::next_day(date);
            if from.is_some_and(|f| date < f) || to.is_some_and(|t| date > t) {
                continue;
            }
            let quiet = &self.view.programme.quiet;
            let planned = plan
                .coming(self.view, |i| i.clip.as_ref().is_some_and(|c| c.campaign_id.as_deref() == Some(campaign)))
                .filter(|(_, i)| zone.date(i.planned_at) == date && quiet.quiet_until(i.planned_at).is_none())
                .count();
            days.push((date, planned));
        }
        let (Some(first), Some(last)) = (days.first(), days.last()) else { return String::new() };
        match days.iter().find(|(_, planned)| *planned < per_day as usize) {
            Some((date, planned)) => {
                let text = self.t(Text::PageQuotaShort { date: day(*date), planned: *planned });
                format!("<span class=\"bad\">{text}</span>")
            }
            None => {
                let text = self.t(Text::PageQuotaKept { from: day(first.0), to: day(last.0) });
                format!("<span class=\"good\">{text}</span>")
            }
        }
    }

    pub(super) fn coming(&self, plan: &Plan, passes: impl Fn(&crate::domain::schedule::Planned) -> bool) -> String {
        let times: Vec<String> = plan
            .coming(self.view, passes)
            .map(|(session, item)| format!("{} ({})", self.when(item.planned_at), session.name))
            .collect();
        if times.is_empty() {
            return format!("<span class=\"bad\">{}</span>", self.t(Text::PageWillNotAir {}));
        }
        let mut first = times.iter().take(3).cloned().collect::<Vec<_>>().join("; ");
        if times.len() > 3 {
            first.push_str("; …");
        }
        self.t(Text::PageWillAir { times: times.len(), first })
    }

    pub(super) fn offers(&self, out: &mut String, plan: &Plan, source: &str, list: &List) {
        let station = &self.view.programme.station_id;
        for offer in list.offers.iter().filter(|o| list.is_for(&o.stations, station)) {
            let full = format!("{source}/{}", offer.id);
            let Dates { from, to, .. } = offer.dates;
            let _ = write!(
                out,
                "<article><p class=\"label\">{}</p><h3>{}</h3><p>{} {}</p>",
                self.t(Text::PageOffer {}),
                esc(&offer.id),
                esc(priority_words(offer.priority, self.language)),
                self.dates(from, to)
            );
            if let Some(times) = offer.sessions_per_day {
                let _ = write!(out, "<p>{}</p>", self.t(Text::PageOfferTimes { times }));
            }
            let _ = write!(out, "<p>{}</p>", self.coming(plan, |i| i.offer.as_deref() == Some(full.as_str())));
            for campaign in list.campaigns.iter().filter(|c| brings(list, offer, &c.id)) {
                let quota = self.quota(plan, &format!("{source}/{}", campaign.id), campaign);
                let _ = write!(out, "<p class=\"small\">{}. {quota}</p>", esc(&campaign.title));
            }
            out.push_str("</article>");
        }
    }

    pub(super) fn emergencies(&self, out: &mut String, list: &List) {
        for emergency in list.emergencies.iter().filter(|e| list.is_for(&e.stations, &self.view.programme.station_id)) {
            let dates = Text::PageDates { from: self.moment(emergency.from), to: self.moment(emergency.until) };
            let _ = write!(
                out,
                "<article class=\"emergency\"><p class=\"label\">{}</p><h3>{}</h3><p>{}</p>",
                self.t(Text::PageEmergency {}),
                esc(list.clips.iter().find(|c| c.id == emergency.clip.id).map_or(&*emergency.id, |c| &*c.title)),
                self.t(dates)
            );
            let every = emergency.every_ms.map(|ms| length_words(ms, self.language));
            let rounds = match every {
                Some(every) => Text::PageRoundsEvery { times: emergency.repeat, every },
                None => Text::PageOneRound { times: emergency.repeat },
            };
            let _ = write!(out, "<p>{}</p></article>", self.t(rounds));
        }
    }

    pub(super) fn withdrawals(&self, out: &mut String, list: &List) {
        for withdrawal in &list.withdrawals {
            let id = match &withdrawal.what {
                Withdrawn::Clip(what) | Withdrawn::Offer(what) | Withdrawn::Slot(what) | Withdrawn::Emergency(what) => {
                    &what.id
                }
            };
            let clip =
                list.clips.iter().find(|c| c.id == *id).filter(|_| matches!(withdrawal.what, Withdrawn::Clip(_)));
            let _ = write!(
                out,
                "<article><p class=\"label\">{}</p><h3>{}</h3><p>{}</p></article>",
                self.t(Text::PageWithdrawn {}),
                esc(clip.map_or(&**id, |c| &*c.title)),
                [
                    withdrawal.at.map(|at| self.t(Text::PageSince { since: self.moment(at) })),
                    withdrawal.by.as_deref().map(|by| esc(by).to_string()),
                    withdrawal.why.as_deref().map(|why| esc(why).to_string()),
                ]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(" · ")
            );
        }
    }

    pub(super) fn clip(&self, plan: &Plan, source: &str, list: &List, clip: &Clip) -> String {
        let mut out = format!(
            "<article><h4>{}</h4><p class=\"small\">{} · {} · {}{}</p>",
            esc(&clip.title),
            esc(clip_kind_words(clip.kind, self.language)),
            esc(priority_words(clip.priority, self.language)),
            esc(&length_words(clip.duration_ms.unwrap_or(0), self.language)),
            match clip.campaign.as_ref().and_then(|r| list.campaigns.iter().find(|c| c.id == r.id)) {
                Some(campaign) => format!(" · {}", esc(&campaign.title)),
                None => String::new(),
            }
        );
        if !clip.kind.is_frame() {
            let approval = match (&clip.approved_by, &clip.approved_at) {
                (Some(by), Some(at)) => {
                    let at =
                        NaiveDate::parse_from_str(at.get(..10).unwrap_or(at), "%Y-%m-%d").map_or(at.to_string(), day);
                    self.t(Text::PageApproved { by: by.to_string(), at })
                }
                _ => format!("<span class=\"bad\">{}</span>", self.t(Text::PageNotApproved {})),
            };
            let doc = clip.approved_doc.as_deref().map(|d| format!(" ({})", esc(d))).unwrap_or_default();
            let _ = write!(out, "<p class=\"small\">{approval}{doc}</p>");
        }
        // When an emergency sounds stands with the emergency.
        if !list.emergencies.iter().any(|e| e.clip.id == clip.id) {
            let _ = write!(
                out,
                "<p class=\"small\">{}</p>",
                self.coming(plan, |i| *i.source == *source && i.clip_id.as_deref() == Some(&*clip.id))
            );
        }
        let name = if source == LOCAL { clip.id.to_string() } else { format!("{source}/{}", clip.id) };
        out.push_str(&self.listen_and_play(
            &name,
            &clip.title,
            clip.sha256.as_deref().filter(|sha| clip.unfit.is_none() && (self.has_audio)(sha)),
        ));
        out.push_str("</article>");
        out
    }
}

/// Whether an offer has clips of a campaign.
pub(super) fn brings(list: &List, offer: &Offer, campaign: &str) -> bool {
    let counts = |id: &str| {
        let clip = list.clips.iter().find(|c| *c.id == *id);
        clip.and_then(|c| c.campaign.as_ref()).is_some_and(|c| *c.id == *campaign)
    };
    offer.items.iter().any(|item| match &item.what {
        What::Clip(clip) => counts(&clip.id),
        What::Rotation(named) => {
            let rotation = list.rotations.iter().find(|r| r.id == named.id);
            rotation.is_some_and(|r| r.clips.iter().any(|c| counts(&c.id)))
        }
        What::Offer(_) | What::Offers(_) => false,
    })
}

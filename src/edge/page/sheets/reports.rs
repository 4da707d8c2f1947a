//! The page from which reports and exports are fetched.

use std::fmt::Write as _;

use chrono::Datelike;

use super::{Sheet, esc};
use crate::domain::playlist::LOCAL;
use crate::domain::text::Text;

impl Sheet<'_> {
    /// The three reports, each with what it is about.
    pub fn reports(&self) -> String {
        let today = self.zone().date(self.view.now);
        let week = today.iso_week();
        let hand_over = {
            let button =
                |format: &str, name: &str| format!("<button name=\"format\" value=\"{format}\">{name}</button>");
            let see = self.t(Text::PageReportSee {});
            format!(
                "<div class=\"sound\">{}{}{}</div>",
                button("html", &see),
                button("docx", "Word"),
                button("xlsx", "Excel")
            )
        };
        let form = |which: &str, title: Text, fields: &str| {
            format!(
                "<section><h2>{}</h2><form method=\"get\" action=\"/report\" class=\"filter\">\
                 <input type=\"hidden\" name=\"which\" value=\"{which}\">{fields}{hand_over}</form></section>",
                self.t(title)
            )
        };
        let diary = format!(
            "<label>{}<input type=\"week\" name=\"week\" required pattern=\"[0-9]{{4}}-W[0-9]{{2}}\" value=\"{}-W{:02}\"></label>",
            self.t(Text::PageReportWeek {}),
            week.year(),
            week.week()
        );
        let kinds = [
            ("month", Text::PageReportMonth {}),
            ("quarter", Text::PageReportQuarter {}),
            ("half", Text::PageReportHalf {}),
            ("nine-months", Text::PageReportNine {}),
            ("year", Text::PageReportYear {}),
        ];
        let kinds: String =
            kinds.into_iter().map(|(key, text)| format!("<option value=\"{key}\">{}</option>", self.t(text))).collect();
        let period = format!(
            "<label>{}<select name=\"kind\">{kinds}</select></label>\
             <label>{}<input type=\"month\" name=\"ending\" required pattern=\"[0-9]{{4}}-[0-9]{{2}}\" value=\"{}\"></label>\
             <label><span><input type=\"checkbox\" name=\"calendar\" value=\"1\"> {}</span></label>",
            self.t(Text::PageReportKind {}),
            self.t(Text::PageReportEnding {}),
            today.format("%Y-%m"),
            self.t(Text::PageReportCalendar {}),
        );
        let mut campaigns = String::new();
        let own = self.view.own.iter().map(|list| (LOCAL, &**list));
        for (source, list) in own.chain(self.view.above.iter().map(|a| (&*a.source, &*a.list))) {
            for campaign in &list.campaigns {
                let title: String = campaign.title.chars().take(60).collect();
                let _ = write!(
                    campaigns,
                    "<option value=\"{}/{}\">{}</option>",
                    esc(source),
                    esc(&campaign.id),
                    esc(&title)
                );
            }
        }
        let mut content = format!("<h1>{}</h1>", self.t(Text::PageReports {}));
        content.push_str(&form("diary", Text::PageReportDiary {}, &diary));
        content.push_str(&form("period", Text::PageReportPeriod {}, &period));
        if !campaigns.is_empty() {
            let field = format!(
                "<label>{}<select name=\"campaign\">{campaigns}</select></label>",
                self.t(Text::PageCampaign {})
            );
            content.push_str(&form("campaign", Text::PageReportCampaign {}, &field));
        }
        self.page("/reports", &self.t(Text::PageReports {}), &content)
    }
}

//! The page of the week ahead.

use std::fmt::Write as _;

use super::{Sheet, esc};
use crate::domain::text::Text;
use crate::edge::page::view::{Plan, Rows};

impl Sheet<'_> {
    /// The next days.
    pub fn week(&self, plan: &Plan, rows: &Rows) -> String {
        let mut content = format!("<h1>{}</h1>", self.t(Text::PageWeek {}));
        let mut date = plan.today;
        for _ in 0..7 {
            date = crate::domain::time::next_day(date);
            let _ = write!(
                content,
                "<section><h2>{}</h2>{}</section>",
                esc(&self.long_date(date)),
                self.sessions(plan, rows, date)
            );
        }
        self.page("/week", &self.t(Text::PageWeek {}), &content)
    }
}

//! The page from which a clip is played by hand.

use std::fmt::Write as _;

use super::{Sheet, esc};
use crate::domain::playlist::LOCAL;
use crate::domain::text::Text;
use crate::edge::page::view::Plan;

impl Sheet<'_> {
    /// Clips to play by hand: the test tone and the commune's own.
    pub fn play(&self, plan: &Plan) -> String {
        let tone = Text::PageTone {}.say(self.language);
        let mut content = format!(
            "<h1>{}</h1><p>{}</p><section><article><h4>{}</h4>{}</article></section>",
            self.t(Text::PagePlay {}),
            self.t(Text::PagePlayHow {}),
            esc(&tone),
            self.play_button("tone", &tone)
        );
        if let Some(own) = &self.view.own {
            let _ = write!(content, "<section><h2>{}</h2>", self.t(Text::PageOwnClips {}));
            for clip in &own.clips {
                content.push_str(&self.clip(plan, LOCAL, own, clip));
            }
            content.push_str("</section>");
        }
        self.page("/play", &self.t(Text::PagePlay {}), &content)
    }
}

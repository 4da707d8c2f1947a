//! The page for logging in.

use super::Sheet;
use crate::domain::text::Text;

impl Sheet<'_> {
    /// The way in.
    pub fn login(&self) -> String {
        let title = self.t(Text::PageLoginHead {});
        let content = format!(
            "<h1>{title}</h1><p>{how}</p><p><code>sudo loaxa page-code --by \"Nguyễn Văn A\"</code></p>\
             <form method=\"post\" action=\"/login\" class=\"filter\"><label>{code}<input name=\"code\" inputmode=\"numeric\" \
             autocomplete=\"one-time-code\" pattern=\"[0-9 ]*\" maxlength=\"12\" required autofocus></label>\
             <button>{enter}</button></form>",
            how = self.t(Text::PageLoginHow {}),
            code = self.t(Text::PageCode {}),
            enter = self.t(Text::PageEnter {}),
        );
        self.page("/login", &title, &content)
    }
}

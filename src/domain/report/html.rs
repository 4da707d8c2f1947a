//! A paper, or the log itself, as one page of HTML: nothing is fetched, everything is escaped, it prints as A4.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io;

use super::paper::{Align, Block, COUNTRY, Cell, Chart, Form, Look, MOTTO, Paper, TRIAL_MARK, Table, day};
use super::{Format, cells, headings};
use crate::domain::chain::Row;
use crate::domain::config::Language;

/// Text as it may stand in HTML, between tags or inside quotes.
pub fn escaped(text: &str) -> Cow<'_, str> {
    // Control characters have no place in HTML: a row with one must not break the page.
    let strange = |c: char| matches!(c, '&' | '<' | '>' | '"' | '\'') || (c.is_control() && c != '\n');
    if !text.contains(strange) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() && c != '\n' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Margins and letters by annex I of NĐ 30/2020/NĐ-CP. The page number stands in the top margin from page 2.
const STYLE: &str = "
@page { size: A4; margin: 20mm 15mm 20mm 30mm; @top-center { content: counter(page); font: 13pt 'Times New Roman', Tinos, 'Liberation Serif', serif; } }
@page :first { @top-center { content: ''; } }
@page wide { size: A4 landscape; margin: 20mm 15mm 20mm 20mm; }
* { box-sizing: border-box; }
html { color: #000; background: #fff; }
body { font: 13pt/1.35 'Times New Roman', Tinos, 'Liberation Serif', serif; margin: 0; }
body.wide { page: wide; }
@media screen { body { max-width: 210mm; margin: 0 auto; padding: 15mm 15mm 15mm 30mm; } body.wide { max-width: 297mm; padding-left: 20mm; } }
@media screen and (max-width: 45rem) { body, body.wide { padding: 4mm; } .subject { margin: 0; } }
header { display: grid; grid-template-columns: 2fr 3fr; gap: 4mm; text-align: center; margin-bottom: 6mm; }
header p { margin: 0; text-align: center; }
header .body, header .country { font-weight: bold; font-size: 12.5pt; }
header .above { font-size: 12.5pt; }
header .motto { font-weight: bold; font-size: 13.5pt; display: inline-block; border-bottom: 1px solid #000; padding-bottom: .6mm; }
header .rule { width: 30%; margin: .8mm auto 0; border-top: 1px solid #000; }
header .number { margin-top: 2.5mm; }
header .date { margin-top: 2.5mm; font-style: italic; }
h1 { font-size: 14pt; text-align: center; margin: 6mm 0 0; }
.subject { font-weight: bold; font-size: 14pt; text-align: center; margin: 0 8mm; white-space: pre-line; }
.under { width: 20%; margin: 1.5mm auto 5mm; border-top: 1px solid #000; }
.to { text-align: center; margin: 0 0 4mm; }
h2 { font-size: 13pt; margin: 5mm 0 1.5mm; break-after: avoid; }
p { margin: 0 0 2mm; text-align: justify; }
.text { text-indent: 10mm; overflow-wrap: anywhere; }
body.wide .text { text-indent: 0; }
.blank, .blank-what, .signs { break-before: avoid; }
.blank { border-bottom: 1px dotted #000; height: 7.5mm; }
.blank-what { font-style: italic; font-size: 11pt; color: #000; margin: 0; }
.notice { border: 1.5px solid #000; padding: 1.5mm 3mm; font-weight: bold; }
figure { margin: 3mm 0 4mm; break-inside: avoid; }
figcaption, caption { font-style: italic; font-size: 12pt; text-align: left; margin-bottom: 1mm; break-after: avoid; caption-side: top; }
table { border-collapse: collapse; width: calc(100% - 1px); table-layout: fixed; font-size: 11pt; line-height: 1.25; margin: 2mm 0 4mm; }
th, td { border: 1px solid #000; padding: .6mm 1mm; vertical-align: baseline; overflow-wrap: break-word; }
th { text-align: center; vertical-align: middle; font-size: 10.5pt; }
thead { display: table-header-group; }
tr { break-inside: avoid; }
tr.across { break-after: avoid; }
table.short { break-inside: avoid; }
.m { text-align: center; font-size: 10pt; white-space: nowrap; }
table.list { font-size: 10pt; }
table.list th { font-size: 9.5pt; }
table.list .m { font-size: 9.5pt; padding-left: .3mm; padding-right: .3mm; }
.r { text-align: right; }
tr.total td, tr.across td { font-weight: bold; }
tr.across td { background: #f0f0f0; font-style: italic; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.annex { break-before: page; text-align: center; }
.annex p { text-align: center; white-space: pre-line; margin: 0; font-weight: bold; }
.annex .with { font-weight: normal; font-style: italic; margin-bottom: 4mm; }
.signs { display: grid; grid-auto-flow: column; grid-auto-columns: 1fr; gap: 6mm; margin-top: 8mm; break-inside: avoid; min-height: 42mm; }
.signs p { margin: 0; }
.signs .sign { text-align: center; }
.signs .sign p { text-align: center; }
.signs .what { font-weight: bold; }
.signs .how { font-style: italic; font-size: 12pt; }
.receivers { font-size: 11pt; }
.receivers b { font-size: 12pt; font-style: italic; }
.trial { position: fixed; inset: 0; display: grid; place-items: center; pointer-events: none; z-index: 9; }
.trial span { font-size: 96pt; font-weight: bold; color: rgba(0,0,0,.13); transform: rotate(-35deg); white-space: nowrap; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
svg text { font-family: 'Times New Roman', Tinos, 'Liberation Serif', serif; }
";

/// The paper as a page.
pub fn page(paper: &Paper) -> String {
    let mut out = String::with_capacity(32 * 1024);
    let subject = paper.subject.replace('\n', " ");
    let wide = paper.form == Form::Book;
    let _ = write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"vi\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n<title>{} - {}</title>\n<style>{STYLE}</style>\n</head>\n<body{}>\n",
        escaped(&paper.kind),
        escaped(&subject),
        if wide { " class=\"wide\"" } else { "" }
    );
    if paper.head.trial {
        let _ = writeln!(out, "<div class=\"trial\"><span>{TRIAL_MARK}</span></div>");
    }
    letterhead(paper, &mut out);
    for block in &paper.blocks {
        block_html(paper, block, &mut out);
    }
    out.push_str("</body>\n</html>\n");
    out
}

fn letterhead(paper: &Paper, out: &mut String) {
    let report = paper.form == Form::Report;
    out.push_str("<header>\n<div>");
    let lines = &paper.head.body;
    let plain = if report { Vec::new() } else { vec![lines.join(" ")] };
    for line in &plain {
        let _ = write!(out, "<p class=\"above\">{}</p>", escaped(line));
    }
    let bold = if report { lines.clone() } else { vec![paper.head.station.to_uppercase()] };
    for line in &bold {
        let _ = write!(out, "<p class=\"body\">{}</p>", escaped(line));
    }
    out.push_str("<div class=\"rule\"></div>");
    if report {
        let _ = write!(out, "<p class=\"number\">{}</p>", escaped(paper.number()));
    }
    let _ = write!(out, "</div>\n<div><p class=\"country\">{COUNTRY}</p><p class=\"motto\">{MOTTO}</p>");
    if report {
        let _ = write!(out, "<p class=\"date\">{}</p>", escaped(&paper.dateline()));
    }
    let _ = write!(
        out,
        "</div>\n</header>\n<h1>{}</h1>\n<p class=\"subject\">{}</p>\n<div class=\"under\"></div>\n",
        escaped(&paper.kind),
        escaped(&paper.subject)
    );
    if report {
        out.push_str("<p class=\"to\">Kính gửi: ……………………………………………</p>\n");
    }
}

fn block_html(paper: &Paper, block: &Block, out: &mut String) {
    let _ = match block {
        Block::Section(text) => writeln!(out, "<h2>{}</h2>", escaped(text)),
        Block::Text(text) => writeln!(out, "<p class=\"text\">{}</p>", escaped(text)),
        Block::Notice(text) => writeln!(out, "<p class=\"notice\">{}</p>", escaped(text)),
        Block::Blank(what) => writeln!(
            out,
            "<p class=\"blank-what\">({})</p><div class=\"blank\"></div><div class=\"blank\"></div>",
            escaped(what)
        ),
        Block::Table(table) => {
            table_html(table, out);
            Ok(())
        }
        Block::Chart(chart) => {
            chart_svg(chart, out);
            Ok(())
        }
        Block::Annex(number, title) => {
            let with = "(Kèm theo Báo cáo số\u{a0}\u{a0}\u{a0}\u{a0}\u{a0}\u{a0}/BC-UBND ngày\u{a0}\u{a0}\u{a0}\u{a0}tháng\u{a0}\u{a0}\u{a0}\u{a0}năm\u{a0}\u{a0}\u{a0}\u{a0}\u{a0}\u{a0}\u{a0}của";
            writeln!(
                out,
                "<div class=\"annex\"><p>{}</p><p>{}</p><p class=\"with\">{with} {})</p></div>",
                escaped(number),
                escaped(title),
                escaped(&paper.head.issuer)
            )
        }
        Block::Signature { receivers, signer } => {
            out.push_str("<div class=\"signs\"><div class=\"receivers\"><p><b>Nơi nhận:</b></p>");
            for line in receivers {
                let _ = write!(out, "<p>- {}</p>", escaped(line));
            }
            out.push_str("</div><div class=\"sign\">");
            for (i, line) in signer.iter().enumerate() {
                let class = if i == 0 { "what" } else { "how" };
                let _ = write!(out, "<p class=\"{class}\">{}</p>", escaped(line));
            }
            writeln!(out, "</div></div>")
        }
        Block::Signatures(places) => {
            out.push_str("<div class=\"signs\">");
            for (what, how) in places {
                let _ = write!(
                    out,
                    "<div class=\"sign\"><p class=\"what\">{}</p><p class=\"how\">{}</p></div>",
                    escaped(what),
                    escaped(how)
                );
            }
            writeln!(out, "</div>")
        }
    };
}

fn table_html(table: &Table, out: &mut String) {
    // A small table is not worth being torn apart by the end of a page.
    out.push_str(match (table.list, table.rows.len()) {
        (true, _) => "<table class=\"list\">",
        (false, ..=12) => "<table class=\"short\">",
        _ => "<table>",
    });
    if !table.name.is_empty() {
        let _ = write!(out, "<caption>{}</caption>", escaped(&table.name));
    }
    out.push_str("<colgroup>");
    let whole: u32 = table.columns.iter().map(|c| c.width).sum::<u32>().max(1);
    for column in &table.columns {
        let _ = write!(out, "<col style=\"width:{:.2}%\">", f64::from(column.width) * 100.0 / f64::from(whole));
    }
    out.push_str("</colgroup>\n<thead><tr>");
    for column in &table.columns {
        let _ = write!(out, "<th>{}</th>", escaped(&column.head));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in &table.rows {
        if row.look == Look::Across {
            let text = row.cells.first().map(Cell::show).unwrap_or_default();
            let _ = writeln!(
                out,
                "<tr class=\"across\"><td colspan=\"{}\">{}</td></tr>",
                table.columns.len(),
                escaped(&text)
            );
            continue;
        }
        out.push_str(if row.look == Look::Total { "<tr class=\"total\">" } else { "<tr>" });
        for (cell, column) in row.cells.iter().zip(&table.columns) {
            let class = match column.align {
                Align::Left => "",
                Align::Middle => " class=\"m\"",
                Align::Right => " class=\"r\"",
            };
            let _ = write!(out, "<td{class}>{}</td>", escaped(&cell.show()));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table>\n");
}

/// Bars, one a day, and the quota as a line. Black on white, so that it copies.
fn chart_svg(chart: &Chart, out: &mut String) {
    let (width, height, left, top, floor) = (640.0, 190.0, 34.0, 16.0, 150.0);
    let most = chart.most().max(1);
    let step = (width - left - 60.0) / chart.days.len().max(1) as f64;
    let y = |n: u64| floor - (floor - top) * n as f64 / most as f64;
    let _ = write!(
        out,
        "<figure><figcaption>{}</figcaption><svg viewBox=\"0 0 {width} {height}\" width=\"100%\" role=\"img\">",
        escaped(&chart.caption)
    );
    let every = chart.days.len().div_ceil(16).max(1);
    for (i, (date, n)) in chart.days.iter().enumerate() {
        let x = left + step * i as f64 + step * 0.18;
        let _ = write!(
            out,
            "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"#777\"><title>{}: {n}</title></rect>",
            y(*n),
            step * 0.64,
            floor - y(*n),
            day(*date)
        );
        let middle = x + step * 0.32;
        if chart.days.len() <= 40 {
            let _ = write!(
                out,
                "<text x=\"{middle:.1}\" y=\"{:.1}\" font-size=\"11\" text-anchor=\"middle\">{n}</text>",
                y(*n) - 3.0
            );
        }
        if i % every == 0 {
            let _ = write!(
                out,
                "<text x=\"{middle:.1}\" y=\"{:.1}\" font-size=\"11\" text-anchor=\"middle\">{}</text>",
                floor + 15.0,
                date.format("%d/%m")
            );
        }
    }
    let right = width - 60.0;
    let _ = write!(
        out,
        "<line x1=\"{left}\" y1=\"{floor}\" x2=\"{right}\" y2=\"{floor}\" stroke=\"#000\"/><text x=\"{:.1}\" y=\"{floor}\" font-size=\"11\" text-anchor=\"end\">0</text><text x=\"{:.1}\" y=\"{:.1}\" font-size=\"11\" text-anchor=\"end\">{most}</text>",
        left - 5.0,
        left - 5.0,
        top + 4.0
    );
    if let Some(quota) = chart.quota {
        let _ = write!(
            out,
            "<line x1=\"{left}\" y1=\"{0:.1}\" x2=\"{right}\" y2=\"{0:.1}\" stroke=\"#000\" stroke-width=\"1.5\" stroke-dasharray=\"6 3\"/><text x=\"{1:.1}\" y=\"{2:.1}\" font-size=\"11\">chỉ tiêu {quota}</text>",
            y(quota),
            right + 4.0,
            y(quota) + 4.0
        );
    }
    out.push_str("</svg></figure>\n");
}

/// The log as one page, streamed row by row.
pub struct HtmlSheet<W: io::Write> {
    out: W,
    format: Format,
    lines: u64,
    day: Option<(chrono::NaiveDate, String)>,
}

impl<W: io::Write> HtmlSheet<W> {
    /// Begins the page with its title and headings.
    pub fn new(mut out: W, format: Format, title: &str, under: &str) -> io::Result<HtmlSheet<W>> {
        let lang = if format.language == Language::Vi { "vi" } else { "en" };
        write!(
            out,
            "<!DOCTYPE html>\n<html lang=\"{lang}\">\n<head>\n<meta charset=\"utf-8\">\n<title>{0}</title>\n<style>{STYLE}
body.log {{ font-size: 9pt; page: wide; }} body.log table {{ font-size: 7pt; table-layout: auto; }} body.log th {{ font-size: 7pt; }}
@media screen {{ body.log {{ max-width: none; padding: 5mm; }} body.log table, body.log th {{ font-size: 9.5pt; }} body.log thead {{ position: sticky; top: 0; background: #fff; }} }}
</style>\n</head>\n<body class=\"log\">\n<h1>{0}</h1>\n<p>{1}</p>\n<table>\n<thead><tr>",
            escaped(title),
            escaped(under)
        )?;
        for heading in headings(format.language) {
            write!(out, "<th>{}</th>", escaped(heading))?;
        }
        out.write_all("</tr></thead>\n<tbody>\n".as_bytes())?;
        Ok(HtmlSheet { out, format, lines: 0, day: None })
    }

    /// Adds an airing's row.
    pub fn row(&mut self, row: &Row<'_>) -> io::Result<()> {
        self.lines += 1;
        self.out.write_all(b"<tr>")?;
        for cell in cells(row, self.lines, &self.format, &mut self.day) {
            write!(self.out, "<td>{}</td>", escaped(&cell))?;
        }
        self.out.write_all(b"</tr>\n")
    }

    /// Ends the page and gives the writer back.
    pub fn finish(mut self, last: &str) -> io::Result<W> {
        write!(self.out, "</tbody></table>\n<p>{}</p>\n</body>\n</html>\n", escaped(last))?;
        Ok(self.out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_typed_by_people_becomes_markup() {
        assert_eq!(
            escaped("<script>alert('x')</script> & \"Đài\"\u{7}"),
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;Đài&quot;\u{fffd}"
        );
    }
}

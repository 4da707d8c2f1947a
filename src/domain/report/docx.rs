//! A paper as a Word file, for clerks to finish: a small writer of the few parts of WordprocessingML it takes.

mod chart;

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::paper::{Align, Block, COUNTRY, Cell, Form, Look, MOTTO, Paper, TRIAL_MARK, Table};

/// Twentieths of a point in a millimetre.
const MM: f64 = 1440.0 / 25.4;

/// Text as it may stand in XML 1.0: what may not stand there at all becomes a replacement character.
fn xml(text: &str) -> Cow<'_, str> {
    let strange = |c: char| {
        matches!(c, '&' | '<' | '>' | '"' | '\u{fffe}' | '\u{ffff}') || (c < ' ' && !matches!(c, '\t' | '\n'))
    };
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
            c if strange(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// How a run of letters looks.
#[derive(Clone, Copy, Default)]
struct Letters {
    bold: bool,
    italic: bool,
    /// Half points; 0: as the document.
    size: u32,
}

const PLAIN: Letters = Letters { bold: false, italic: false, size: 0 };
const BOLD: Letters = Letters { bold: true, italic: false, size: 0 };
const ITALIC: Letters = Letters { bold: false, italic: true, size: 0 };

impl Letters {
    fn sized(self, half_points: u32) -> Letters {
        Letters { size: half_points, ..self }
    }
}

fn run(text: &str, letters: Letters) -> String {
    let mut out = String::from("<w:r><w:rPr>");
    if letters.bold {
        out.push_str("<w:b/>");
    }
    if letters.italic {
        out.push_str("<w:i/>");
    }
    if letters.size > 0 {
        let _ = write!(out, "<w:sz w:val=\"{0}\"/><w:szCs w:val=\"{0}\"/>", letters.size);
    }
    out.push_str("</w:rPr>");
    for (i, line) in text.split('\n').enumerate() {
        if i > 0 {
            out.push_str("<w:br/>");
        }
        let _ = write!(out, "<w:t xml:space=\"preserve\">{}</w:t>", xml(line));
    }
    out + "</w:r>"
}

/// A paragraph; `properties` are elements of `w:pPr` in the order of the schema.
fn paragraph(properties: &str, runs: &str) -> String {
    format!("<w:p><w:pPr>{properties}</w:pPr>{runs}</w:p>")
}

const CENTRE: &str = "<w:spacing w:after=\"0\"/><w:jc w:val=\"center\"/>";
const TIGHT: &str = "<w:spacing w:after=\"0\"/>";

fn body_text(text: &str, form: Form) -> String {
    let indent = if form == Form::Report { "<w:ind w:firstLine=\"567\"/>" } else { "" };
    paragraph(&format!("<w:spacing w:after=\"120\"/>{indent}<w:jc w:val=\"both\"/>"), &run(text, PLAIN))
}

/// Cells side by side without lines: letterhead and signatures.
fn side_by_side(width: u32, shares: &[u32], cells: &[String]) -> String {
    let whole: u32 = shares.iter().sum::<u32>().max(1);
    let mut out = format!(
        "<w:tbl><w:tblPr><w:tblW w:w=\"{width}\" w:type=\"dxa\"/><w:tblLayout w:type=\"fixed\"/></w:tblPr><w:tblGrid>"
    );
    let widths: Vec<u32> = shares.iter().map(|s| width * s / whole).collect();
    for w in &widths {
        let _ = write!(out, "<w:gridCol w:w=\"{w}\"/>");
    }
    out.push_str("</w:tblGrid><w:tr><w:trPr><w:cantSplit/></w:trPr>");
    for (cell, w) in cells.iter().zip(&widths) {
        let _ = write!(out, "<w:tc><w:tcPr><w:tcW w:w=\"{w}\" w:type=\"dxa\"/></w:tcPr>{cell}</w:tc>");
    }
    out + "</w:tr></w:tbl>"
}

fn letterhead(paper: &Paper, width: u32) -> String {
    let rule = "<w:pBdr><w:bottom w:val=\"single\" w:sz=\"6\" w:space=\"1\" w:color=\"000000\"/></w:pBdr>";
    let report = paper.form == Form::Report;
    let mut left = String::new();
    let head = &paper.head;
    let bold: Vec<String> = if report {
        head.body.clone()
    } else {
        left.push_str(&paragraph(CENTRE, &run(&head.body.join(" "), PLAIN.sized(25))));
        vec![head.station.to_uppercase()]
    };
    for line in &bold {
        left.push_str(&paragraph(CENTRE, &run(line, BOLD.sized(25))));
    }
    left.push_str(&paragraph(
        &format!("{rule}<w:spacing w:after=\"0\" w:line=\"80\" w:lineRule=\"exact\"/><w:ind w:left=\"1200\" w:right=\"1200\"/>"),
        "",
    ));
    let mut right = paragraph(CENTRE, &run(COUNTRY, BOLD.sized(25)));
    right.push_str(&paragraph(CENTRE, &run(MOTTO, BOLD.sized(27))));
    right.push_str(&paragraph(
        &format!("{rule}<w:spacing w:after=\"0\" w:line=\"80\" w:lineRule=\"exact\"/><w:ind w:left=\"1350\" w:right=\"1350\"/>"),
        "",
    ));
    if report {
        let above = "<w:spacing w:before=\"120\" w:after=\"0\"/><w:jc w:val=\"center\"/>";
        left.push_str(&paragraph(above, &run(paper.number(), PLAIN)));
        right.push_str(&paragraph(above, &run(&paper.dateline(), ITALIC)));
    }
    let mut out = side_by_side(width, &[2, 3], &[left, right]);
    out.push_str(&paragraph(
        "<w:spacing w:before=\"240\" w:after=\"0\"/><w:jc w:val=\"center\"/>",
        &run(&paper.kind, BOLD.sized(28)),
    ));
    out.push_str(&paragraph(CENTRE, &run(&paper.subject, BOLD.sized(28))));
    let under = width * 2 / 5;
    out.push_str(&paragraph(
        &format!("{rule}<w:spacing w:after=\"240\" w:line=\"80\" w:lineRule=\"exact\"/><w:ind w:left=\"{under}\" w:right=\"{under}\"/>"),
        "",
    ));
    if report {
        out.push_str(&paragraph(
            "<w:spacing w:after=\"200\"/><w:jc w:val=\"center\"/>",
            &run("Kính gửi: ……………………………………………", PLAIN),
        ));
    }
    out
}

fn table(table: &Table, width: u32) -> String {
    let mut out = String::new();
    if !table.name.is_empty() {
        out.push_str(&paragraph(
            "<w:keepNext/><w:spacing w:before=\"120\" w:after=\"40\"/>",
            &run(&table.name, ITALIC.sized(24)),
        ));
    }
    let whole: u32 = table.columns.iter().map(|c| c.width).sum::<u32>().max(1);
    let widths: Vec<u32> = table.columns.iter().map(|c| width * c.width / whole).collect();
    let line = |side: &str| format!("<w:{side} w:val=\"single\" w:sz=\"4\" w:space=\"0\" w:color=\"000000\"/>");
    let lines: String = ["top", "left", "bottom", "right", "insideH", "insideV"].into_iter().map(line).collect();
    let _ = write!(
        out,
        "<w:tbl><w:tblPr><w:tblW w:w=\"{width}\" w:type=\"dxa\"/><w:tblBorders>{lines}</w:tblBorders><w:tblLayout w:type=\"fixed\"/><w:tblCellMar><w:left w:w=\"57\" w:type=\"dxa\"/><w:right w:w=\"57\" w:type=\"dxa\"/></w:tblCellMar></w:tblPr><w:tblGrid>"
    );
    for w in &widths {
        let _ = write!(out, "<w:gridCol w:w=\"{w}\"/>");
    }
    out.push_str("</w:tblGrid><w:tr><w:trPr><w:cantSplit/><w:tblHeader/></w:trPr>");
    for (column, w) in table.columns.iter().zip(&widths) {
        let _ = write!(
            out,
            "<w:tc><w:tcPr><w:tcW w:w=\"{w}\" w:type=\"dxa\"/><w:vAlign w:val=\"center\"/></w:tcPr>{}</w:tc>",
            paragraph(CENTRE, &run(&column.head, BOLD.sized(21)))
        );
    }
    out.push_str("</w:tr>");
    for row in &table.rows {
        out.push_str("<w:tr><w:trPr><w:cantSplit/></w:trPr>");
        if row.look == Look::Across {
            let text = row.cells.first().map(Cell::show).unwrap_or_default();
            let letters = Letters { bold: true, italic: true, size: 22 };
            let _ = write!(
                out,
                "<w:tc><w:tcPr><w:tcW w:w=\"{width}\" w:type=\"dxa\"/><w:gridSpan w:val=\"{}\"/><w:shd w:val=\"clear\" w:color=\"auto\" w:fill=\"F0F0F0\"/></w:tcPr>{}</w:tc></w:tr>",
                widths.len(),
                paragraph(TIGHT, &run(&text, letters))
            );
            continue;
        }
        for ((cell, column), w) in row.cells.iter().zip(&table.columns).zip(&widths) {
            let set = match column.align {
                Align::Left => TIGHT,
                Align::Middle => CENTRE,
                Align::Right => "<w:spacing w:after=\"0\"/><w:jc w:val=\"right\"/>",
            };
            let letters = Letters { bold: row.look == Look::Total, italic: false, size: 22 };
            let _ = write!(
                out,
                "<w:tc><w:tcPr><w:tcW w:w=\"{w}\" w:type=\"dxa\"/></w:tcPr>{}</w:tc>",
                paragraph(set, &run(&cell.show(), letters))
            );
        }
        out.push_str("</w:tr>");
    }
    out.push_str("</w:tbl>");
    // Word joins tables that touch.
    out + &paragraph(TIGHT, "")
}

fn signatures(paper: &Paper, block: &Block, width: u32) -> String {
    let place = |what: &str, how: &str| {
        let mut cell = paragraph(CENTRE, &run(what, BOLD));
        cell.push_str(&paragraph(CENTRE, &run(how, ITALIC.sized(24))));
        cell.push_str(&paragraph("<w:spacing w:before=\"1200\" w:after=\"0\"/>", ""));
        cell
    };
    let space = paragraph("<w:spacing w:before=\"120\" w:after=\"0\"/>", "");
    let table = match block {
        Block::Signature { receivers, signer } => {
            let mut left = paragraph(TIGHT, &run("Nơi nhận:", Letters { bold: true, italic: true, size: 24 }));
            for line in receivers {
                left.push_str(&paragraph(TIGHT, &run(&format!("- {line}"), PLAIN.sized(22))));
            }
            let at = |i: usize| signer.get(i).map(String::as_str).unwrap_or_default();
            side_by_side(width, &[1, 1], &[left, place(at(0), at(1))])
        }
        Block::Signatures(places) => {
            let cells: Vec<_> = places.iter().map(|(what, how)| place(what, how)).collect();
            side_by_side(width, &vec![1; places.len()], &cells)
        }
        _ => return String::new(),
    };
    let _ = paper;
    space + &table + &paragraph(TIGHT, "")
}

fn document(paper: &Paper) -> String {
    let book = paper.form == Form::Book;
    let mm = |n: f64| (n * MM).round() as u32;
    let (page_width, page_height) = if book { (16838, 11906) } else { (11906, 16838) };
    let (left, right) = (mm(if book { 20.0 } else { 30.0 }), mm(15.0));
    let width = page_width - left - right;
    let mut body = letterhead(paper, width);
    let mut charts = 0;
    for block in &paper.blocks {
        let piece = match block {
            Block::Section(text) => {
                paragraph("<w:keepNext/><w:spacing w:before=\"200\" w:after=\"80\"/>", &run(text, BOLD))
            }
            Block::Text(text) => body_text(text, paper.form),
            Block::Notice(text) => {
                let side = |s: &str| format!("<w:{s} w:val=\"single\" w:sz=\"8\" w:space=\"3\" w:color=\"000000\"/>");
                let frame: String = ["top", "left", "bottom", "right"].into_iter().map(side).collect();
                paragraph(&format!("<w:pBdr>{frame}</w:pBdr><w:spacing w:after=\"160\"/>"), &run(text, BOLD))
            }
            Block::Blank(what) => {
                let dots = "…".repeat(width as usize / 260);
                let mut out = paragraph(TIGHT, &run(&format!("({what})"), ITALIC.sized(22)));
                for _ in 0..2 {
                    out.push_str(&paragraph(TIGHT, &run(&dots, PLAIN)));
                }
                out
            }
            Block::Table(t) => table(t, width),
            Block::Chart(drawn) if !drawn.days.is_empty() => {
                charts += 1;
                let caption = run(&drawn.caption, ITALIC.sized(24));
                let over = "<w:keepNext/><w:spacing w:before=\"120\" w:after=\"0\"/><w:jc w:val=\"center\"/>";
                paragraph(over, &caption) + &paragraph(CENTRE, &chart::place(drawn, charts, width))
            }
            Block::Chart(_) => String::new(),
            Block::Annex(number, title) => {
                let mut out = paragraph(
                    "<w:pageBreakBefore/><w:spacing w:after=\"0\"/><w:jc w:val=\"center\"/>",
                    &run(number, BOLD.sized(28)),
                );
                out.push_str(&paragraph(CENTRE, &run(title, BOLD.sized(28))));
                let gap = "\u{a0}\u{a0}\u{a0}\u{a0}\u{a0}\u{a0}";
                let with =
                    format!("(Kèm theo Báo cáo số{gap}/BC-UBND ngày{gap}tháng{gap}năm{gap}của {})", paper.head.issuer);
                out + &paragraph("<w:spacing w:after=\"160\"/><w:jc w:val=\"center\"/>", &run(&with, ITALIC))
            }
            Block::Signature { .. } | Block::Signatures(_) => signatures(paper, block, width),
        };
        body.push_str(&piece);
    }
    let turned = if book { " w:orient=\"landscape\"" } else { "" };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<w:document xmlns:w=\"{W}\" xmlns:r=\"{R}\"><w:body>{body}<w:sectPr><w:headerReference w:type=\"default\" r:id=\"rId2\"/><w:headerReference w:type=\"first\" r:id=\"rId3\"/><w:pgSz w:w=\"{page_width}\" w:h=\"{page_height}\"{turned}/><w:pgMar w:top=\"{top}\" w:right=\"{right}\" w:bottom=\"{top}\" w:left=\"{left}\" w:header=\"567\" w:footer=\"567\" w:gutter=\"0\"/><w:titlePg/></w:sectPr></w:body></w:document>",
        top = mm(20.0)
    )
}

const W: &str = "http://schemas.openxmlformats.org/wordprocessingml/2006/main";
const R: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";

/// The page's number, but on the first page; in a trial the mark across the page.
fn header(number: bool, trial: bool) -> String {
    let field = "<w:r><w:fldChar w:fldCharType=\"begin\"/></w:r><w:r><w:instrText xml:space=\"preserve\"> PAGE </w:instrText></w:r><w:r><w:fldChar w:fldCharType=\"separate\"/></w:r><w:r><w:t>2</w:t></w:r><w:r><w:fldChar w:fldCharType=\"end\"/></w:r>";
    let mark = if trial {
        format!(
            "<w:r><w:pict><v:shapetype id=\"_x0000_t136\" coordsize=\"21600,21600\" o:spt=\"136\" adj=\"10800\" path=\"m@7,l@8,m@5,21600l@6,21600e\"><v:formulas><v:f eqn=\"sum #0 0 10800\"/><v:f eqn=\"prod #0 2 1\"/><v:f eqn=\"sum 21600 0 @1\"/><v:f eqn=\"sum 0 0 @2\"/><v:f eqn=\"sum 21600 0 @3\"/><v:f eqn=\"if @0 @3 0\"/><v:f eqn=\"if @0 21600 @1\"/><v:f eqn=\"if @0 0 @2\"/><v:f eqn=\"if @0 @4 21600\"/></v:formulas><v:path textpathok=\"t\" o:connecttype=\"rect\"/><v:textpath on=\"t\" fitshape=\"t\"/></v:shapetype><v:shape id=\"BanThu{id}\" o:spid=\"_x0000_s20{id}\" type=\"#_x0000_t136\" style=\"position:absolute;margin-left:0;margin-top:0;width:430pt;height:110pt;rotation:315;z-index:-251658752;mso-position-horizontal:center;mso-position-horizontal-relative:margin;mso-position-vertical:center;mso-position-vertical-relative:margin\" fillcolor=\"silver\" stroked=\"f\"><v:fill opacity=\".5\"/><v:textpath style=\"font-family:&quot;Times New Roman&quot;;font-size:1pt\" string=\"{TRIAL_MARK}\"/></v:shape></w:pict></w:r>",
            id = if number { 51 } else { 52 }
        )
    } else {
        String::new()
    };
    let runs = format!("{}{mark}", if number { field } else { "" });
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<w:hdr xmlns:w=\"{W}\" xmlns:r=\"{R}\" xmlns:v=\"urn:schemas-microsoft-com:vml\" xmlns:o=\"urn:schemas-microsoft-com:office:office\">{}</w:hdr>",
        paragraph(CENTRE, &runs)
    )
}

/// The paper as the bytes of a `.docx` file. The same paper gives the same bytes.
///
/// # Errors
/// None in practice: it is written into memory.
pub fn file(paper: &Paper) -> io::Result<Vec<u8>> {
    let made = paper.head.made_at.utc().format("%Y-%m-%dT%H:%M:%SZ");
    let title = format!("{} - {}", paper.kind, paper.subject.replace('\n', " "));
    let numbers: Vec<usize> = (1..=paper.charts().count()).collect();
    let parts: [(&str, String); 9] = [
        (
            "[Content_Types].xml",
            "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\"><Default Extension=\"rels\" ContentType=\"application/vnd.openxmlformats-package.relationships+xml\"/><Default Extension=\"xml\" ContentType=\"application/xml\"/><Override PartName=\"/word/document.xml\" ContentType=\"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml\"/><Override PartName=\"/word/styles.xml\" ContentType=\"application/vnd.openxmlformats-officedocument.wordprocessingml.styles+xml\"/><Override PartName=\"/word/settings.xml\" ContentType=\"application/vnd.openxmlformats-officedocument.wordprocessingml.settings+xml\"/><Override PartName=\"/word/header1.xml\" ContentType=\"application/vnd.openxmlformats-officedocument.wordprocessingml.header+xml\"/><Override PartName=\"/word/header2.xml\" ContentType=\"application/vnd.openxmlformats-officedocument.wordprocessingml.header+xml\"/><Override PartName=\"/docProps/core.xml\" ContentType=\"application/vnd.openxmlformats-package.core-properties+xml\"/>".to_owned() + &numbers.iter().map(|n| chart::content_type(*n)).collect::<String>() + "</Types>",
        ),
        (
            "_rels/.rels",
            format!("<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\"><Relationship Id=\"rId1\" Type=\"{R}/officeDocument\" Target=\"word/document.xml\"/><Relationship Id=\"rId2\" Type=\"http://schemas.openxmlformats.org/package/2006/relationships/metadata/core-properties\" Target=\"docProps/core.xml\"/></Relationships>"),
        ),
        (
            "docProps/core.xml",
            format!("<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<cp:coreProperties xmlns:cp=\"http://schemas.openxmlformats.org/package/2006/metadata/core-properties\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\" xmlns:dcterms=\"http://purl.org/dc/terms/\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><dc:title>{}</dc:title><dc:creator>{}</dc:creator><dc:language>vi-VN</dc:language><dcterms:created xsi:type=\"dcterms:W3CDTF\">{made}</dcterms:created></cp:coreProperties>", xml(&title), xml(&paper.head.station)),
        ),
        (
            "word/_rels/document.xml.rels",
            format!("<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\"><Relationship Id=\"rId1\" Type=\"{R}/styles\" Target=\"styles.xml\"/><Relationship Id=\"rId2\" Type=\"{R}/header\" Target=\"header1.xml\"/><Relationship Id=\"rId3\" Type=\"{R}/header\" Target=\"header2.xml\"/><Relationship Id=\"rId4\" Type=\"{R}/settings\" Target=\"settings.xml\"/>{}</Relationships>", numbers.iter().map(|n| chart::relationship(*n)).collect::<String>()),
        ),
        ("word/document.xml", document(paper)),
        (
            "word/styles.xml",
            format!("<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<w:styles xmlns:w=\"{W}\"><w:docDefaults><w:rPrDefault><w:rPr><w:rFonts w:ascii=\"Times New Roman\" w:hAnsi=\"Times New Roman\" w:eastAsia=\"Times New Roman\" w:cs=\"Times New Roman\"/><w:color w:val=\"000000\"/><w:sz w:val=\"26\"/><w:szCs w:val=\"26\"/><w:lang w:val=\"vi-VN\" w:eastAsia=\"vi-VN\" w:bidi=\"ar-SA\"/></w:rPr></w:rPrDefault><w:pPrDefault><w:pPr><w:spacing w:after=\"120\"/></w:pPr></w:pPrDefault></w:docDefaults><w:style w:type=\"paragraph\" w:default=\"1\" w:styleId=\"Normal\"><w:name w:val=\"Normal\"/><w:qFormat/></w:style></w:styles>"),
        ),
        (
            "word/settings.xml",
            format!("<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<w:settings xmlns:w=\"{W}\"><w:defaultTabStop w:val=\"567\"/><w:compat><w:compatSetting w:name=\"compatibilityMode\" w:uri=\"http://schemas.microsoft.com/office/word\" w:val=\"15\"/></w:compat></w:settings>"),
        ),
        ("word/header1.xml", header(true, paper.head.trial)),
        ("word/header2.xml", header(false, paper.head.trial)),
    ];
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    // The zip's own times stay at its epoch: the time of making stands in the properties.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(zip::DateTime::default());
    let parts = parts.into_iter().map(|(name, content)| (name.to_owned(), content));
    let charts =
        paper.charts().zip(&numbers).map(|(drawn, n)| (format!("word/charts/chart{n}.xml"), chart::part(drawn)));
    for (name, content) in parts.chain(charts) {
        zip.start_file(name, options).map_err(io::Error::other)?;
        zip.write_all(content.as_bytes())?;
    }
    Ok(zip.finish().map_err(io::Error::other)?.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_cannot_hold_is_replaced() {
        assert_eq!(xml("a<b> & \"c\"\u{1}\u{ffff}\té"), "a&lt;b&gt; &amp; &quot;c&quot;\u{fffd}\u{fffd}\té");
    }
}

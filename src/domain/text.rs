//! Every sentence a person reads, in Vietnamese and English, in one place. A sentence that is missing in one
//! language does not compile. Official Vietnamese, short verbs; the words are those of `docs/words.md`.
//!
//! A message says what was tried, on what, why it failed and what to do: lower case, no full stop, the object in
//! quotes, the cause after a colon, the way out on a line of its own.

use crate::domain::airing::{Outcome, Reason};
use crate::domain::config::Language;
use crate::domain::playlist::{ClipKind, Priority};

macro_rules! sentences {
    ($( $(#[$doc:meta])* $name:ident { $($field:ident : $type:ty),* $(,)? } => $vi:literal, $en:literal; )*) => {
        /// A sentence with what goes into it.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Text {
            $( $(#[$doc])* #[allow(missing_docs)] $name { $($field: $type),* }, )*
        }

        impl Text {
            /// The sentence in a language.
            #[allow(unused_variables)]
            pub fn say(&self, language: Language) -> String {
                match (self, language) {
                    $(
                        (Text::$name { $($field),* }, Language::Vi) => format!($vi),
                        (Text::$name { $($field),* }, Language::En) => format!($en),
                    )*
                }
            }

            /// The name of the sentence, stable: golden files and tools know it by this.
            pub fn name(&self) -> &'static str {
                match self {
                    $( Text::$name { .. } => stringify!($name), )*
                }
            }
        }
    };
}

sentences! {
    // ---- what the output can say of itself
    /// What `aired` means (invariant 5).
    AiredMeans {} =>
        "Máy đã đưa đủ tín hiệu âm thanh ra cổng ra; phần mềm không xác nhận được loa có kêu hay không.",
        "The full audio signal was given to the output; software cannot confirm that the loudspeakers sounded.";

    // ---- reading config and lists (domain/document.rs, domain/config.rs)
    /// How a finding begins.
    SeverityError {} => "lỗi", "error";
    /// How a finding begins.
    SeverityWarning {} => "cảnh báo", "warning";
    /// How a finding begins.
    SeverityAdvice {} => "lời khuyên", "advice";
    /// How the way out begins.
    HintWord {} => "cách sửa", "fix";
    // The form of the file.
    FileTooLarge { megabytes: usize, limit: usize } =>
        "tệp quá lớn: {megabytes} MB, chỉ đọc tối đa {limit} MB",
        "the file is too large: {megabytes} MB, at most {limit} MB are read";
    FileIsUtf16 {} => "tệp được lưu theo mã UTF-16, không phải UTF-8", "the file is saved as UTF-16, not UTF-8";
    FileNotUtf8 { byte: String } =>
        "tệp không theo mã UTF-8 (ký tự mã {byte} ở đây): có thể là TCVN3, VNI hoặc mã Windows",
        "the file is not UTF-8 (byte {byte} here): it may be TCVN3, VNI or a Windows code page";
    SaveAsUtf8 {} =>
        "mở tệp bằng Notepad, chọn Lưu dưới dạng (Save As), ở ô Mã hóa (Encoding) chọn UTF-8; chữ gõ bằng phông TCVN3 hoặc VNI thì gõ lại bằng Unicode",
        "open it in Notepad, choose Save As and set Encoding to UTF-8; text typed in a TCVN3 or VNI font must be typed again in Unicode";
    SmartQuote { found: char, write: char } =>
        "dấu nháy cong {found} không dùng được ở đây", "the curly quote {found} cannot stand here";
    OddSign { found: char, write: char } => "ký tự {found} không dùng được ở đây", "the character {found} cannot stand here";
    OddSpace {} => "dấu cách đặc biệt (thường do chép từ Word hoặc trang web)", "a special space (often copied from Word or a web page)";
    InvisibleCharacter {} =>
        "ký tự không nhìn thấy (thường do chép từ Word, trang web hoặc Zalo)",
        "an invisible character (often copied from Word, a web page or a chat)";
    WriteSign { write: char } => "xóa ký tự đó và gõ lại bằng bàn phím: {write}", "delete it and type this on the keyboard: {write}";
    TypeSpaceAgain {} => "xóa chỗ đó và gõ lại dấu cách bằng bàn phím", "delete it and type a space on the keyboard";
    DecimalComma { text: String } => "số \"{text}\" dùng dấu phẩy", "the number \"{text}\" has a decimal comma";
    DuplicateKey { key: String } => "khóa \"{key}\" viết hai lần trong cùng một bảng", "the key \"{key}\" stands twice in one table";
    DuplicateTable { name: String } => "bảng \"{name}\" viết hai lần", "the table \"{name}\" stands twice";
    OneTableOnly { name: String } =>
        "gộp hai bảng làm một; nếu là danh sách nhiều mục thì viết [[{name}]] cho từng mục",
        "join the two; where several entries are meant, write [[{name}]] above each";
    RemoveOne {} => "xóa bớt một", "remove one of them";
    RemoveLine {} => "xóa khóa này", "remove this key";
    UnclosedTable {} => "tên bảng thiếu dấu ngoặc vuông đóng", "the table name lacks a closing bracket";
    UnclosedList {} => "danh sách thiếu dấu ] đóng", "the list lacks a closing ]";
    CloseList {} => "thêm ] vào cuối danh sách, ví dụ [\"a\", \"b\"]", "put a ] at the end of the list, as in [\"a\", \"b\"]";
    UnclosedBraces {} => "thiếu dấu }} đóng", "a closing }} is missing";
    CloseBraces {} =>
        "thêm }} vào cuối, ví dụ {{ clip = \"luat\", days = \"T2\" }}",
        "put a }} at the end, as in {{ clip = \"luat\", days = \"T2\" }}";
    MissingComma {} => "thiếu dấu phẩy", "a comma is missing";
    CommaOrClose {} =>
        "đặt dấu phẩy giữa hai mục, hoặc ] nếu danh sách đã hết: [\"a\", \"b\"]",
        "put a comma between two entries, or a ] where the list ends: [\"a\", \"b\"]";
    CommaBetween {} =>
        "đặt dấu phẩy giữa hai mục: {{ clip = \"luat\", days = \"T2\" }}",
        "put a comma between two entries: {{ clip = \"luat\", days = \"T2\" }}";
    UnclosedQuote {} => "thiếu một dấu nháy", "a quote is missing";
    CommentOrKey {} =>
        "nếu là ghi chú, thêm # ở đầu dòng; nếu không, viết dạng khóa = \"giá trị\"",
        "put # in front of a comment; else write key = \"value\"";
    KeyWithMarks { key: String } => "khóa \"{key}\" có ký tự không dùng được", "the key \"{key}\" has characters that cannot be used";
    DeleteIt {} => "xóa ký tự đó (đặt con trỏ ngay sau nó rồi bấm Backspace)", "delete it (put the cursor behind it and press Backspace)";
    Backslash {} => "dấu \\ trong chữ có nghĩa đặc biệt", "a \\ in a text has a special meaning";
    SlashInstead {} => "trong đường dẫn viết / thay cho \\", "in a path write / in place of \\";
    Unquoted { text: String } => "\"{text}\" phải đặt trong dấu nháy", "\"{text}\" needs quotes";
    MissingEquals {} => "thiếu dấu = giữa khóa và giá trị", "a = is missing between key and value";
    MissingValue { key: String } => "dòng \"{key}\" không có giá trị", "the line \"{key}\" has no value";
    Syntax { message: String } => "không đọc được chỗ này ({message})", "this cannot be read ({message})";
    SyntaxForm {} =>
        "mỗi dòng có dạng khóa = \"giá trị\", tên bảng có dạng [bảng] hoặc [[bảng]], ghi chú bắt đầu bằng #",
        "each line reads key = \"value\", a table name [table] or [[table]], a comment begins with #";
    JsonSyntax { message: String } => "danh sách JSON không đọc được ({message})", "the JSON list cannot be read ({message})";
    WantObject {} => "danh sách JSON phải là một đối tượng {{ ... }}", "a JSON list must be an object {{ ... }}";
    TooDeep { limit: usize } => "các bảng lồng nhau quá {limit} lớp", "tables stand more than {limit} deep in each other";
    // Keys.
    UnknownKey { key: String, place: String } => "không có khóa \"{key}\" trong {place}", "there is no key \"{key}\" in {place}";
    UnknownKeyTop { key: String } => "không có khóa hoặc bảng \"{key}\"", "there is no key or table \"{key}\"";
    MissingKey { key: String, place: String } => "{place} thiếu khóa \"{key}\"", "{place} lacks the key \"{key}\"";
    MissingKeyTop { key: String } => "tệp thiếu \"{key}\"", "the file lacks \"{key}\"";
    WriteKey { key: String } => "viết \"{key}\"", "write \"{key}\"";
    KnownKeys { keys: String } => "các khóa dùng được ở đây: {keys}", "keys known here: {keys}";
    KeyBelongs { key: String, place: String } => "chuyển dòng \"{key}\" vào bảng {place}", "move the line \"{key}\" into {place}";
    KeyBelongsTop { key: String } =>
        "chuyển dòng \"{key}\" lên đầu tệp, trước bảng đầu tiên",
        "move the line \"{key}\" to the top of the file, before the first table";
    AddLine { line: String } => "thêm {line}", "add {line}";
    WriteLine { line: String } => "viết {line}", "write {line}";
    // Kinds of values.
    WantText { key: String } => "giá trị của \"{key}\" phải là chữ trong dấu nháy", "\"{key}\" takes a text in quotes";
    WantWhole { key: String } => "giá trị của \"{key}\" phải là số nguyên", "\"{key}\" takes a whole number";
    WantNumber { key: String } => "giá trị của \"{key}\" phải là số, không có dấu nháy", "\"{key}\" takes a number without quotes";
    WantFlag { key: String } => "giá trị của \"{key}\" phải là true hoặc false", "\"{key}\" takes true or false";
    WantTexts { key: String } => "giá trị của \"{key}\" phải là danh sách chữ trong dấu [ ]", "\"{key}\" takes a list of texts in [ ]";
    WantTable { key: String } => "\"{key}\" phải là một bảng", "\"{key}\" must be a table";
    WantTables { key: String } =>
        "\"{key}\" là danh sách nhiều mục: tên bảng phải có hai dấu ngoặc vuông",
        "\"{key}\" is a list of entries: its table name takes two brackets";
    OneTable { key: String } =>
        "\"{key}\" chỉ có một: tên bảng chỉ có một dấu ngoặc vuông",
        "there is only one \"{key}\": its table name takes single brackets";
    WantItem {} => "mục phải là mã bài trong dấu nháy hoặc bảng {{ ... }}", "an item is a clip id in quotes or a table {{ ... }}";
    EmptyText { key: String } => "giá trị của \"{key}\" để trống", "\"{key}\" is empty";
    EmptyList { key: String } => "danh sách \"{key}\" để trống", "the list \"{key}\" is empty";
    OutOfRange { key: String, text: String, min: i64, max: i64 } =>
        "giá trị {text} của \"{key}\" ngoài khoảng cho phép: từ {min} đến {max}",
        "{text} is out of range for \"{key}\": from {min} to {max}";
    BadTime { text: String } => "không có giờ \"{text}\"", "there is no time \"{text}\"";
    TimeForm {} => "viết giờ dạng \"05:30\", từ \"00:00\" đến \"23:59\"", "write a time as \"05:30\", from \"00:00\" to \"23:59\"";
    BadDate { text: String } => "không có ngày \"{text}\"", "there is no date \"{text}\"";
    DateForm {} =>
        "viết ngày dạng \"2022-10-05\" (năm-tháng-ngày), đúng số ngày của tháng",
        "write a date as \"2022-10-05\" (year-month-day), with a day that the month has";
    WriteDate { date: String } => "viết \"{date}\" (năm-tháng-ngày)", "write \"{date}\" (year-month-day)";
    BadMoment { text: String } => "không đọc được thời điểm \"{text}\"", "the moment \"{text}\" cannot be read";
    MomentForm {} => "viết dạng \"2022-10-05T17:00\" (năm-tháng-ngàyTgiờ:phút)", "write it as \"2022-10-05T17:00\" (year-month-dayThour:minute)";
    InstantForm {} =>
        "viết dạng \"2022-10-05T08:10:00+07:00\" (năm-tháng-ngàyTgiờ:phút:giây+múi giờ)",
        "write it as \"2022-10-05T08:10:00+07:00\" (year-month-dayThour:minute:second+offset)";
    BadDuration { text: String } => "thời lượng \"{text}\" không đọc được: thiếu đơn vị hoặc sai dạng", "the length \"{text}\" cannot be read: no unit, or another form";
    WriteDuration { line: String } =>
        "viết {line} (s: giây, m: phút, h: giờ, d: ngày)",
        "write {line} (s: seconds, m: minutes, h: hours, d: days)";
    DurationRange { key: String, text: String, min: String, max: String } =>
        "thời lượng \"{text}\" của \"{key}\" ngoài khoảng cho phép: từ {min} đến {max}",
        "the length \"{text}\" is out of range for \"{key}\": from {min} to {max}";
    BadMonths { text: String } => "\"{text}\" không phải là số tháng", "\"{text}\" is no number of months";
    BadSize { text: String } => "\"{text}\" không phải là dung lượng", "\"{text}\" is no size";
    BadDays { text: String } => "không có thứ \"{text}\"", "there is no weekday \"{text}\"";
    DaysForm {} =>
        "viết T2, T3, T4, T5, T6, T7, CN; từ thứ Hai đến thứ Sáu là \"T2-T6\", nhiều ngày rời là \"T2,T4\"",
        "write T2 to T7 and CN, or MON to SUN: \"MON-FRI\", \"MON,WED\"";
    WriteDays { line: String } => "viết {line} (T2: thứ Hai, CN: Chủ nhật)", "write {line} (T2: Monday, CN: Sunday)";
    BadChoice { key: String, text: String } => "\"{key}\" không nhận giá trị \"{text}\"", "\"{key}\" does not take \"{text}\"";
    Choose { words: String } => "chọn một trong: {words}", "choose one of: {words}";
    BadId { id: String } => "mã \"{id}\" không dùng được", "the id \"{id}\" cannot be used";
    IdForm {} =>
        "mã dài tối đa 64 ký tự, gồm chữ, số, dấu - và _, không có / \\ : * ? \" < > | và không bắt đầu bằng dấu chấm",
        "an id has at most 64 characters: letters, digits, - and _; no / \\ : * ? \" < > | and no dot in front";
    BadPath { path: String } => "đường dẫn \"{path}\" không nằm trong thư mục bài", "the path \"{path}\" does not stay inside the folder of clips";
    PathForm {} =>
        "viết tên tệp, hoặc đường dẫn trong thư mục với dấu /, không có .. và không bắt đầu bằng /",
        "write the file's name, or a path inside the folder with /, without .. and without a / in front";
    MoveFile { line: String, name: String } =>
        "chép tệp \"{name}\" vào thư mục bài rồi viết {line}",
        "copy the file \"{name}\" into the folder of clips and write {line}";
    BadHash {} => "sha256 phải gồm 64 chữ số thập lục phân", "sha256 must be 64 hexadecimal digits";
    DuplicateId { id: String, line: usize } => "mã \"{id}\" đã dùng ở dòng {line}", "the id \"{id}\" is already used on line {line}";
    OtherId {} => "đặt mã khác, hoặc xóa bớt một mục", "choose another id, or remove one of the entries";
    LocalIsTaken {} => "mã \"local\" dành cho danh sách của xã", "the id \"local\" belongs to the commune's own list";
    // References.
    UnknownClip { id: String } => "không có bài \"{id}\" trong danh sách này", "this list has no clip \"{id}\"";
    UnknownRotation { id: String } => "không có nhóm luân phiên \"{id}\" trong danh sách này", "this list has no rotation \"{id}\"";
    UnknownOffer { id: String } => "không có mục gửi kèm \"{id}\" trong danh sách này", "this list has no offer \"{id}\"";
    UnknownSlot { id: String } => "không có buổi phát \"{id}\" trong danh sách này", "this list has no slot \"{id}\"";
    UnknownCampaign { id: String } => "không có đợt tuyên truyền \"{id}\" trong danh sách này", "this list has no campaign \"{id}\"";
    UnknownTopic { id: String } => "đợt tuyên truyền này không có chủ đề \"{id}\"", "this campaign has no topic \"{id}\"";
    UnknownEmergency { id: String } => "không có thông báo khẩn cấp \"{id}\" trong danh sách này", "this list has no emergency \"{id}\"";
    UnknownSource { id: String } => "không có nguồn \"{id}\" trong station.toml", "station.toml has no source \"{id}\"";
    WriteId { id: String } => "viết \"{id}\"", "write \"{id}\"";
    KnownIds { ids: String } => "các mã có ở đây: {ids}; mã của nguồn khác viết NGUỒN/MÃ", "ids declared here: {ids}; another source's is written SOURCE/ID";
    NoneDeclared {} =>
        "ở đây chưa khai báo mục nào loại này; mã của nguồn khác viết NGUỒN/MÃ",
        "nothing of this kind is declared here; another source's id is written SOURCE/ID";
    TopicAlone { topic: String } => "chủ đề \"{topic}\" không thuộc đợt tuyên truyền nào", "the topic \"{topic}\" belongs to no campaign";
    OthersEntry {} =>
        "danh sách của nguồn chỉ được bỏ buổi và thu hồi mục của chính mình",
        "a source's list skips and withdraws only what is its own";
    LocalFromAbove { id: String } =>
        "\"local/{id}\" là của từng xã: danh sách của nguồn không dùng được",
        "\"local/{id}\" belongs to each commune: a source's list cannot use it";
    // Lists.
    SourceInLocal {} => "danh sách của xã không có khóa \"source\"", "the commune's own list has no key \"source\"";
    PublishWrites { key: String } => "\"{key}\" do lệnh loaxa publish tự ghi: giá trị ở đây không dùng đến", "\"{key}\" is written by loaxa publish: the value here is not used";
    FormatUnknown { format: i64 } => "không biết dạng danh sách số {format}", "list format {format} is unknown";
    UpdateLoaxa {} => "cập nhật loaxa trên máy này", "update loaxa on this machine";
    ExpiresBeforeIssued {} => "danh sách hết hạn trước khi phát hành", "the list expires before it is issued";
    LifeTooLong { days: i64, limit: i64 } =>
        "thời hạn của danh sách là {days} ngày, tối đa {limit} ngày",
        "the list lives for {days} days, at most {limit} are allowed";
    ShorterLife {} => "phát hành lại với --expires ngắn hơn, ví dụ --expires 31d", "publish again with a shorter --expires, as --expires 31d";
    NotApproved { id: String } =>
        "bài \"{id}\" chưa được duyệt: sẽ không phát",
        "the clip \"{id}\" is not approved: it will not air";
    OfferInOffer {} => "mục gửi kèm chỉ chứa bài và nhóm luân phiên", "an offer holds only clips and rotations";
    ItemNamesNothing {} => "mục này không nói phát gì: thiếu clip, rotation, offer hoặc offers", "this item does not say what to play: clip, rotation, offer or offers is missing";
    ItemNamesTwo {} => "mục này nói hai thứ: chỉ viết một trong clip, rotation, offer, offers", "this item says two things: write only one of clip, rotation, offer, offers";
    AtAndCron {} => "buổi phát có cả \"at\" và \"cron\"", "the slot has both \"at\" and \"cron\"";
    DaysWithCron {} => "\"days\" không dùng cùng \"cron\": thứ nằm trong cron", "\"days\" does not go with \"cron\": cron has its own weekdays";
    DaysAndDates {} => "chỉ viết một trong \"days\" và \"dates\"", "write only one of \"days\" and \"dates\"";
    TimeTwice { text: String } => "giờ {text} viết hai lần", "the time {text} stands twice";
    RelayHasItems {} => "buổi tiếp sóng không có \"items\"", "a relay has no \"items\"";
    NoEffectOnRelay { key: String } => "\"{key}\" không có tác dụng với buổi tiếp sóng", "\"{key}\" has no effect on a relay";
    LengthOfSession {} => "\"length\" chỉ dùng cho buổi tiếp sóng", "\"length\" is only for a relay";
    MaxLengthOrRelay {} =>
        "viết \"max_length\" để giới hạn buổi phát, hoặc thêm kind = \"relay\" nếu là tiếp sóng",
        "write \"max_length\" to limit a session, or add kind = \"relay\" where a relay is meant";
    ToBeforeFrom { from: String, to: String } => "ngày cuối {to} trước ngày đầu {from}", "the last day {to} is before the first day {from}";
    UntilBeforeFrom {} => "\"until\" không sau \"from\"", "\"until\" is not after \"from\"";
    SwapFromTo {} => "đổi chỗ hai giá trị, hoặc sửa cái sai", "swap the two, or mend the wrong one";
    NoDateLeft {} => "không còn ngày nào: \"from\", \"to\", \"days\" và \"except\" loại trừ nhau", "no date is left: \"from\", \"to\", \"days\" and \"except\" rule each other out";
    NeverFires { id: String } => "buổi phát \"{id}\" không bao giờ đến: không ngày nào hợp với \"from\", \"to\", \"days\", \"except\"", "the slot \"{id}\" never comes: no date fits \"from\", \"to\", \"days\" and \"except\"";
    OnceOutside { text: String } => "thời điểm {text} nằm ngoài \"from\", \"to\", \"days\" hoặc trong \"except\": không bao giờ đến", "{text} is outside \"from\", \"to\" and \"days\" or within \"except\": it never comes";
    OnceAlone {} => "bỏ các khóa giới hạn ngày, hoặc sửa ngày", "remove the keys that limit the days, or mend the date";
    LookAtDates {} => "xem lại ngày và thứ", "look at the dates and weekdays again";
    WithdrawsNothing {} => "không nói thu hồi gì: thiếu clip, offer, slot hoặc emergency", "it does not say what is withdrawn: clip, offer, slot or emergency is missing";
    WithdrawsTwo {} => "chỉ viết một trong clip, offer, slot, emergency cho mỗi lần thu hồi", "write only one of clip, offer, slot, emergency in a withdrawal";
    // Cron.
    CronFields { found: usize } => "cron có {found} phần, cần 5 phần (phút giờ ngày tháng thứ) hoặc 6 phần (thêm giây ở đầu)", "cron has {found} fields, it takes 5 (minute hour day month weekday) or 6 (seconds first)";
    CronForm {} =>
        "viết phút giờ ngày tháng thứ, ví dụ cron = \"30 5 * * T2-T6\" là 05:30 từ thứ Hai đến thứ Sáu; hoặc dùng at và days",
        "write minute hour day month weekday: cron = \"30 5 * * MON-FRI\" is 05:30 from Monday to Friday; or use at and days";
    CronOrAt { line: String, at: String } => "viết {at}, hoặc {line} (phút trước, giờ sau)", "write {at}, or {line} (minute first, then hour)";
    CronDigit { text: String } =>
        "thứ trong cron viết bằng số (\"{text}\"): mỗi nơi hiểu một khác, nên không nhận",
        "the weekday in cron is a digit (\"{text}\"): it means another day in every dialect and is not taken";
    CronDays { line: String } => "viết thứ bằng tên: {line}", "write weekdays by name: {line}";
    CronBothDays { day: String, weekday: String } =>
        "cron vừa chọn ngày (\"{day}\") vừa chọn thứ (\"{weekday}\"): không rõ là \"và\" hay \"hoặc\"",
        "cron picks a day of the month (\"{day}\") and a weekday (\"{weekday}\"): is it \"and\" or \"or\"?";
    CronEither { first: String, second: String } => "để một trong hai là *: {first} hoặc {second}", "make one of them *: {first} or {second}";
    CronPart { text: String, min: u32, max: u32 } => "phần \"{text}\" trong cron sai: cần từ {min} đến {max}", "the field \"{text}\" in cron is wrong: it takes {min} to {max}";
    CronNever { cron: String } => "cron \"{cron}\" không bao giờ đến: không có ngày đó trong lịch", "cron \"{cron}\" never comes: the calendar has no such date";
    CronMeans { cron: String, means: String } => "cron \"{cron}\" là {means}: phút viết trước, giờ viết sau", "cron \"{cron}\" means {means}: the minute stands first, then the hour";
    CronWrite { line: String, at: String, meant: String } => "nếu muốn {meant}, viết {at} hoặc {line}", "for {meant} write {at} or {line}";
    // The station's config.
    BadTimezone { text: String } => "không có múi giờ \"{text}\"", "there is no time zone \"{text}\"";
    BadUrl { text: String } => "địa chỉ \"{text}\" không dùng được: phải bắt đầu bằng https:// hoặc http://", "the address \"{text}\" cannot be used: it must begin with https:// or http://";
    BadPublicKey {} => "khóa công khai không đúng dạng minisign", "this is no minisign public key";
    PublicKeyForm {} => "chép nguyên dòng bắt đầu bằng RW (56 ký tự) mà đơn vị gửi cung cấp", "copy the whole line beginning with RW (56 characters) that the sender gave";
    PollOften {} => "hỏi danh sách mới dày hơn mỗi phút một lần: tốn mạng mà không nhanh hơn", "asking for a new list more than once a minute burdens the network and gains nothing";
    WavWithoutFile {} => "\"wav:\" thiếu tên tệp", "\"wav:\" lacks the name of a file";
    GainOverZero {} => "âm lượng trên 0 dB có thể làm vỡ tiếng", "a gain over 0 dB may distort";
    QuietTooShort { length: String } => "giờ không phát loa chỉ dài {length} giờ, ít nhất là 4 giờ", "quiet hours last only {length} h, at least 4 h are needed";
    QuietTooLong { length: String } => "giờ không phát loa dài {length} giờ, tối đa là 14 giờ", "quiet hours last {length} h, at most 14 h are allowed";
    QuietDefault {} => "thông thường: from = \"21:00\", to = \"05:00\"", "usual: from = \"21:00\", to = \"05:00\"";
    QuietNeedsDecision { from: String, to: String } =>
        "giờ không phát loa {from}-{to} không phủ hết 21:00-05:00: cần nêu quyết định cho phép",
        "quiet hours {from}-{to} do not cover 21:00-05:00: the decision that allows it must be named";
    AddShorterBy {} =>
        "thêm shorter_by = \"QĐ 12/QĐ-UBND\" (số quyết định), hoặc để 21:00-05:00",
        "add shorter_by = \"QĐ 12/QĐ-UBND\" (the decision's number), or keep 21:00-05:00";
    OpenTooLong { length: String } => "đêm được phát loa dài {length} giờ, tối đa là 3 giờ", "the open night lasts {length} h, at most 3 h are allowed";
    OpenShorter {} => "rút ngắn \"from\"-\"to\" còn không quá 3 giờ", "shorten \"from\"-\"to\" to 3 h or less";
    TrustAlways {} =>
        "trust = \"always\" chỉ dùng khi chạy thử: với loa thật, giờ sai sẽ phát sai giờ",
        "trust = \"always\" is for trials: with a real device a wrong clock airs at the wrong hour";
    TrustAuto {} =>
        "viết trust = \"auto\", hoặc trust = \"rtc\" nếu máy có đồng hồ chạy pin",
        "write trust = \"auto\", or trust = \"rtc\" where the machine has a clock with a battery";
    ListenPublic { address: String } => "trang điều khiển mở ra ngoài mạng nội bộ ở {address}", "the page is open beyond the local network at {address}";
    BadAddress { text: String } => "địa chỉ \"{text}\" không dùng được: cần IP:CỔNG", "the address \"{text}\" cannot be used: it takes IP:PORT";
    LogKeptShort { months: u32 } => "nhật ký chỉ giữ {months} tháng; thông thường phải giữ 24 tháng", "the log is kept only {months} months; 24 are usual";
    AudioKeptShort { months: u32 } => "bài đã phát chỉ giữ {months} tháng; thông thường phải giữ 6 tháng", "aired audio is kept only {months} months; 6 are usual";
    // The station as a whole (domain/station.rs).
    SlotInQuiet { slot: String, time: String, date: String, iso: String, from: String, to: String } =>
        "buổi phát \"{slot}\" lúc {time} ngày {date} rơi vào giờ không phát loa ({from}-{to})",
        "the slot \"{slot}\" at {time} on {iso} falls into quiet hours ({from}-{to})";
    RelayInQuiet { slot: String, time: String, date: String, iso: String, from: String, to: String } =>
        "buổi tiếp sóng \"{slot}\" lúc {time} ngày {date} rơi vào giờ không phát loa ({from}-{to})",
        "the relay \"{slot}\" at {time} on {iso} falls into quiet hours ({from}-{to})";
    MoveSlot { to: String, from: String } =>
        "đổi giờ phát vào khoảng {to}-{from}; nếu có quyết định cho phép, sửa [quiet_hours] hoặc thêm [[quiet_open]] trong station.toml",
        "choose a time between {to} and {from}; where a decision allows it, change [quiet_hours] or add [[quiet_open]] in station.toml";
    SourceSlotInQuiet {} => "buổi của nguồn sẽ bị chặn (blocked, quiet_hours); báo cho đơn vị gửi", "the source's session will be blocked (quiet_hours); tell the sender";
    RelayIntoQuiet { slot: String, date: String, iso: String, at: String } =>
        "buổi tiếp sóng \"{slot}\" ngày {date} kéo sang giờ không phát loa: sẽ bị ngắt lúc {at}",
        "the relay \"{slot}\" on {iso} runs into quiet hours: it will be cut at {at}";
    NoSuchSecond { slot: String, text: String } => "buổi phát \"{slot}\": giờ {text} không tồn tại (đổi giờ mùa hè), hôm đó không phát", "the slot \"{slot}\": the time {text} does not exist (summer time), it does not air that day";
    MissingAbove { id: String, source: String } => "danh sách của \"{source}\" không có \"{id}\": sẽ không phát", "the list of \"{source}\" has no \"{id}\": it will not air";
    NothingAbove { id: String, source: String } => "danh sách của \"{source}\" không có \"{id}\"", "the list of \"{source}\" has no \"{id}\"";
    MissingTopicAbove { id: String, source: String } => "danh sách của \"{source}\" không có đợt hoặc chủ đề \"{id}\": lượt phát sẽ không được tính vào", "the list of \"{source}\" has no campaign or topic \"{id}\": airings will not count in it";
    LocalListMissing { id: String } => "danh sách của xã không có \"{id}\"", "the commune's list has no \"{id}\"";
    OfferWithoutPlace { offer: String } =>
        "mục gửi kèm ưu tiên \"{offer}\" không có chỗ trong buổi phát nào: sẽ không phát",
        "the priority offer \"{offer}\" has no place in any session: it will not air";
    AddOffersPlace {} =>
        "trong local.toml, thêm {{ offers = \"priority\" }} vào \"items\" của một buổi phát",
        "in local.toml add {{ offers = \"priority\" }} to the \"items\" of a session";
    OfferToTake { offer: String } =>
        "mục gửi kèm \"{offer}\" chưa có trong buổi phát nào",
        "the offer \"{offer}\" is in no session yet";
    AddOffer { line: String } => "muốn phát thì thêm {line} vào \"items\" của một buổi phát trong local.toml", "to air it add {line} to the \"items\" of a session in local.toml";
    SourceNamesItself { found: String, wanted: String } =>
        "danh sách tự ghi nguồn \"{found}\", nhưng station.toml ghi \"{wanted}\": danh sách sẽ bị từ chối",
        "the list names its source \"{found}\", station.toml says \"{wanted}\": the list will be refused";
    SourceId { line: String } => "trong station.toml, ở [[source]] viết {line}", "in station.toml, under [[source]], write {line}";
    SourceSlotsOff { source: String } => "nguồn \"{source}\" không được mở buổi phát (slots = false): buổi này không phát", "the source \"{source}\" may open no session (slots = false): this one does not air";
    GainTooLow { sum: String, clip: String, slot: String } =>
        "tổng âm lượng của bài \"{clip}\" trong buổi \"{slot}\" là {sum} dB, thấp hơn -30 dB: gần như không nghe thấy",
        "the gains of clip \"{clip}\" in slot \"{slot}\" add up to {sum} dB, below -30 dB: hardly to be heard";
    GainTooHigh { sum: String, clip: String, slot: String } =>
        "tổng âm lượng của bài \"{clip}\" trong buổi \"{slot}\" là {sum} dB, trên 0 dB: có thể vỡ tiếng",
        "the gains of clip \"{clip}\" in slot \"{slot}\" add up to {sum} dB, over 0 dB: it may distort";
    GainParts {} =>
        "cộng lại: gain_db của [output], [[daypart]], buổi phát và bài",
        "it is the sum of gain_db in [output], [[daypart]], slot and clip";
    NoLocalTable {} => "station.toml không có [local]: đài không có buổi phát của mình", "station.toml has no [local]: the station has no sessions of its own";
    EmergencyNotAllowed { id: String } => "thông báo khẩn cấp \"{id}\" không qua được giờ không phát loa: nguồn không được phép (emergency = false)", "the emergency \"{id}\" cannot pass quiet hours: the source may not (emergency = false)";
    UnknownStation { id: String } => "không có đài hoặc nhóm \"{id}\" ứng với đài này", "\"{id}\" is neither this station nor a group with it";
    // Files (cli/check.rs).
    ClipFileMissing { file: String, folder: String } => "không thấy tệp \"{file}\" trong thư mục \"{folder}\": bài sẽ không phát", "there is no file \"{file}\" in the folder \"{folder}\": the clip will not air";
    WriteFile { line: String } => "tệp có trong thư mục: viết {line}", "the folder has: write {line}";
    CopyFile {} => "chép tệp vào thư mục đó, hoặc sửa tên", "copy the file into that folder, or mend the name";
    FolderUnreadable { folder: String, cause: String } => "không đọc được thư mục \"{folder}\": {cause}", "cannot read the folder \"{folder}\": {cause}";
    ConfigRefused { file: String, errors: usize } =>
        "không dùng được cấu hình \"{file}\": {errors} lỗi ở trên; sửa xong chạy loaxa check để xem lại",
        "cannot use the config \"{file}\": {errors} errors above; mend them and run loaxa check";
    FileUnreadable { file: String, cause: String } => "không đọc được tệp \"{file}\": {cause}", "cannot read the file \"{file}\": {cause}";
    LocalListAbsent { file: String, cause: String } => "không đọc được danh sách của xã \"{file}\": {cause}", "cannot read the commune's list \"{file}\": {cause}";
    AllGood { files: usize } => "Không có lỗi ({files} tệp)", "No mistakes ({files} files)";
    MayRun { warnings: usize, advice: usize } =>
        "Không có lỗi, {warnings} cảnh báo, {advice} lời khuyên: chạy được",
        "No errors, {warnings} warnings, {advice} advice: it may run";
    MayNotRun { errors: usize, warnings: usize, advice: usize } =>
        "{errors} lỗi, {warnings} cảnh báo, {advice} lời khuyên: chưa chạy được, hãy sửa các lỗi",
        "{errors} errors, {warnings} warnings, {advice} advice: it may not run until the errors are mended";

    // ---- planning (domain/schedule.rs)
    /// Two sessions want the same time.
    Clash { first: String, first_from: String, first_to: String, second: String, second_from: String, second_to: String, overlap: String } =>
        "Trùng giờ: \"{first}\" ({first_from}-{first_to}) và \"{second}\" ({second_from}-{second_to}), chồng nhau {overlap}",
        "Clash: \"{first}\" ({first_from}-{first_to}) and \"{second}\" ({second_from}-{second_to}) overlap by {overlap}";

    // ---- the airing log and exports (edge/airing_log.rs, domain/report.rs)

    // ---- lists from above (edge/http.rs, edge/clip_store.rs, daemon/sync.rs, publishing)

    // ---- sound (edge/decoder.rs, edge/speaker.rs)

    // ---- the daemon (daemon/, edge/control.rs)

    // ---- commands (cli/)
}

/// The outcome as shown on screen and in reports.
pub fn outcome_word(outcome: Outcome, language: Language) -> &'static str {
    match (outcome, language) {
        (Outcome::Aired, Language::Vi) => "Đã phát đủ",
        (Outcome::Aired, Language::En) => "Aired",
        (Outcome::Partial, Language::Vi) => "Phát dở (do sự cố)",
        (Outcome::Partial, Language::En) => "Partial (fault)",
        (Outcome::Interrupted, Language::Vi) => "Bị ngắt giữa chừng",
        (Outcome::Interrupted, Language::En) => "Interrupted",
        (Outcome::Missed, Language::Vi) => "Không phát được",
        (Outcome::Missed, Language::En) => "Missed",
        (Outcome::Blocked, Language::Vi) => "Không cho phát",
        (Outcome::Blocked, Language::En) => "Blocked",
        (Outcome::Failed, Language::Vi) => "Lỗi tệp hoặc thiết bị",
        (Outcome::Failed, Language::En) => "Failed",
        (Outcome::Relayed, Language::Vi) => "Đã chuyển tiếp sóng",
        (Outcome::Relayed, Language::En) => "Relayed",
    }
}

/// The reason as shown on screen and in reports.
pub fn reason_words(reason: Reason, language: Language) -> &'static str {
    match (reason, language) {
        (Reason::PowerOff, Language::Vi) => "Thiết bị tắt nguồn",
        (Reason::PowerOff, Language::En) => "Power off",
        (Reason::Crashed, Language::Vi) => "Chương trình dừng đột ngột",
        (Reason::Crashed, Language::En) => "Program ended abruptly",
        (Reason::Late, Language::Vi) => "Quá giờ cho phép bắt đầu",
        (Reason::Late, Language::En) => "Past the time allowed to begin",
        (Reason::ClipMissing, Language::Vi) => "Thiếu tệp âm thanh",
        (Reason::ClipMissing, Language::En) => "Audio file missing",
        (Reason::ClipBad, Language::Vi) => "Tệp hỏng hoặc đã bị thay đổi",
        (Reason::ClipBad, Language::En) => "File broken or changed",
        (Reason::NotApproved, Language::Vi) => "Chưa được duyệt",
        (Reason::NotApproved, Language::En) => "Not approved",
        (Reason::Expired, Language::Vi) => "Hết thời hạn phát",
        (Reason::Expired, Language::En) => "Expired",
        (Reason::QuietHours, Language::Vi) => "Trong giờ không phát loa",
        (Reason::QuietHours, Language::En) => "Quiet hours",
        (Reason::Emergency, Language::Vi) => "Nhường bản tin khẩn cấp",
        (Reason::Emergency, Language::En) => "Gave way to an emergency",
        (Reason::HardStart, Language::Vi) => "Nhường buổi phát sau",
        (Reason::HardStart, Language::En) => "Gave way to the next session",
        (Reason::Overlap, Language::Vi) => "Trùng giờ buổi khác",
        (Reason::Overlap, Language::En) => "Another session had the air",
        (Reason::TooLong, Language::Vi) => "Vượt thời lượng buổi phát",
        (Reason::TooLong, Language::En) => "Session too long",
        (Reason::ClockUnknown, Language::Vi) => "Chưa có giờ chính xác",
        (Reason::ClockUnknown, Language::En) => "Clock not known",
        (Reason::DeviceLost, Language::Vi) => "Mất kết nối thiết bị âm thanh",
        (Reason::DeviceLost, Language::En) => "Audio device lost",
        (Reason::HookFailed, Language::Vi) => "Không bật được tăng âm",
        (Reason::HookFailed, Language::En) => "Amplifier did not switch on",
        (Reason::Stopped, Language::Vi) => "Đang tạm dừng",
        (Reason::Stopped, Language::En) => "Stopped",
        (Reason::SpecialDay, Language::Vi) => "Ngày đặc biệt",
        (Reason::SpecialDay, Language::En) => "Special day",
        (Reason::Withdrawn, Language::Vi) => "Đã thu hồi",
        (Reason::Withdrawn, Language::En) => "Withdrawn",
    }
}

/// The kind of a clip as shown in reports.
pub fn clip_kind_words(kind: ClipKind, language: Language) -> &'static str {
    match (kind, language) {
        (ClipKind::NhacHieu, Language::Vi) => "Nhạc hiệu",
        (ClipKind::NhacHieu, Language::En) => "Signature tune",
        (ClipKind::LoiXuong, Language::Vi) => "Lời xướng",
        (ClipKind::LoiXuong, Language::En) => "Station call",
        (ClipKind::NhacCat, Language::Vi) => "Nhạc cắt",
        (ClipKind::NhacCat, Language::En) => "Bumper",
        (ClipKind::NhacKet, Language::Vi) => "Nhạc kết",
        (ClipKind::NhacKet, Language::En) => "Closing tune",
        (ClipKind::BanTin, Language::Vi) => "Bản tin",
        (ClipKind::BanTin, Language::En) => "Bulletin",
        (ClipKind::ThongBao, Language::Vi) => "Thông báo",
        (ClipKind::ThongBao, Language::En) => "Notice",
        (ClipKind::ChuyenMuc, Language::Vi) => "Chuyên mục",
        (ClipKind::ChuyenMuc, Language::En) => "Feature",
        (ClipKind::ThongDiep, Language::Vi) => "Thông điệp",
        (ClipKind::ThongDiep, Language::En) => "Spot",
        (ClipKind::CaKhuc, Language::Vi) => "Ca khúc",
        (ClipKind::CaKhuc, Language::En) => "Song",
    }
}

/// The priority as shown in reports.
pub fn priority_words(priority: Priority, language: Language) -> &'static str {
    match (priority, language) {
        (Priority::Emergency, Language::Vi) => "Khẩn cấp",
        (Priority::Emergency, Language::En) => "Emergency",
        (Priority::Priority, Language::Vi) => "Ưu tiên",
        (Priority::Priority, Language::En) => "Priority",
        (Priority::Normal, Language::Vi) => "Thông thường",
        (Priority::Normal, Language::En) => "Normal",
    }
}

/// Why the system refused something, for the cause of a message; what has no words here is told as the system says it.
pub fn system_words(error: &std::io::Error, language: Language) -> String {
    use std::io::ErrorKind;
    let (vi, en) = match error.kind() {
        ErrorKind::NotFound => ("không có tệp hoặc thư mục này", "there is no such file or folder"),
        ErrorKind::PermissionDenied => ("không có quyền", "permission denied"),
        ErrorKind::IsADirectory => ("đây là thư mục, không phải tệp", "it is a folder, not a file"),
        ErrorKind::NotADirectory => ("đây không phải thư mục", "it is not a folder"),
        ErrorKind::StorageFull => ("đĩa đã đầy", "the disk is full"),
        ErrorKind::ReadOnlyFilesystem => ("đĩa chỉ cho đọc", "the disk is read-only"),
        _ => return error.to_string(),
    };
    if language == Language::Vi { vi.into() } else { en.into() }
}

/// A length of time in words, rounded to seconds: `1 phút 5 giây`.
pub fn length_words(ms: i64, language: Language) -> String {
    let s = (ms + 500).div_euclid(1000);
    let (hour, minute, second) = match language {
        Language::Vi => ("giờ", "phút", "giây"),
        Language::En => ("h", "min", "s"),
    };
    let mut parts = Vec::new();
    for (n, word) in [(s / 3600, hour), (s / 60 % 60, minute), (s % 60, second)] {
        if n > 0 {
            parts.push(format!("{n} {word}"));
        }
    }
    if parts.is_empty() { format!("0 {second}") } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_leave_out_what_is_nought() {
        assert_eq!(length_words(65_000, Language::Vi), "1 phút 5 giây");
        assert_eq!(length_words(3_600_000, Language::Vi), "1 giờ");
        assert_eq!(length_words(0, Language::En), "0 s");
    }
}

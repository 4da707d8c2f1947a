//! What a person finds who does not know the commands: help, completions and the man page, Vietnamese first, with
//! examples that hold.
#![allow(clippy::unwrap_used)]

use std::process::{Command, Output, Stdio};

fn loaxa(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_loaxa"))
        .args(arguments)
        .env_remove("LOAXA_CONFIG")
        .env("LANG", "C.UTF-8")
        .env_remove("LC_MESSAGES")
        .output()
        .unwrap()
}

fn said(arguments: &[&str]) -> String {
    let output = loaxa(arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The commands that a help page lists.
fn listed(help: &str) -> Vec<String> {
    let list = help.split("Lệnh (commands):\n").nth(1).unwrap_or_default().split("\n\n").next().unwrap_or_default();
    let names = list.lines().filter(|l| l.starts_with("  ") && !l.starts_with("   "));
    names.filter_map(|l| l.split_whitespace().next().map(str::to_owned)).collect()
}

/// Every command with those inside it.
fn commands() -> Vec<Vec<String>> {
    let mut all: Vec<Vec<String>> = listed(&said(&["--help"])).into_iter().map(|c| vec![c]).collect();
    let mut at = 0;
    while at < all.len() {
        let words: Vec<&str> = all[at].iter().map(String::as_str).chain(["--help"]).collect();
        let inside = listed(&said(&words));
        let deeper: Vec<Vec<String>> = inside.into_iter().map(|c| [all[at].clone(), vec![c]].concat()).collect();
        all.extend(deeper);
        at += 1;
    }
    assert!(all.len() > 25, "{all:?}");
    all
}

/// Letters that only Vietnamese has: somebody wrote it for the technician.
fn is_vietnamese(text: &str) -> bool {
    text.to_lowercase()
        .chars()
        .any(|c| "ăâđêôơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹáàãéèíìóòúùýõũĩ".contains(c))
}

#[test]
fn every_command_explains_itself_with_an_example() {
    for command in commands() {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let help = said(&[&words[..], &["--help"]].concat());
        let about = help.lines().next().unwrap();
        let english = help.split("\n\n").next().unwrap();
        assert!(is_vietnamese(about) && english.contains('('), "{words:?}: {about}");
        for english in ["Usage:", "Options:", "Arguments:", "Commands:", "Print help"] {
            assert!(!help.contains(english), "{words:?}: {english}");
        }
        let (above, example) = match help.split_once("Ví dụ (") {
            Some(parts) => parts,
            // Those inside have their own.
            None if !listed(&help).is_empty() => continue,
            None => panic!("{words:?} has no example:\n{help}"),
        };
        // Each option says in Vietnamese what it is for, and those of the example exist.
        for option in above.lines().filter(|l| l.trim_start().starts_with("-")) {
            let name = option.trim_start();
            let explained = above.split(name).nth(1).unwrap().lines().take(3).collect::<String>();
            assert!(is_vietnamese(name) || is_vietnamese(&explained), "{words:?}: {option}");
        }
        let own = example.lines().filter(|l| l.contains(&format!("loaxa {}", words.join(" "))));
        for line in own {
            let ours = line.split('|').find(|part| part.contains("loaxa")).unwrap();
            let ours = ours.split("loaxa ").nth(1).unwrap().split("   ").next().unwrap();
            for flag in ours.split_whitespace().filter(|w| w.starts_with("--")) {
                let inside = listed(&help).iter().any(|c| {
                    let deeper = said(&[&words[..], &[c.as_str(), "--help"]].concat());
                    deeper.contains(flag)
                });
                assert!(above.contains(flag) || inside, "{words:?}: the example has {flag}");
            }
        }
    }
}

#[test]
fn completions_and_the_man_page_know_every_command() {
    let shells = [("bash", Some("bash")), ("zsh", None), ("fish", None)];
    let pages: Vec<(&str, String)> = shells.iter().map(|(shell, _)| (*shell, said(&["completions", shell]))).collect();
    let man = said(&["man"]);
    for command in commands() {
        let last = command.last().unwrap();
        for (shell, page) in &pages {
            assert!(page.contains(last.as_str()), "{shell} does not know {command:?}");
        }
        assert!(man.contains(&format!(".SH \"loaxa {}\"", command.join(" "))), "man does not know {command:?}");
    }
    assert!(man.starts_with(".ie") && man.contains(".SH NAME") && man.contains("Ví dụ"));
    // What the shell itself says to them.
    let mut bash = Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut bash.stdin.take().unwrap(), pages[0].1.as_bytes()).unwrap();
    assert!(bash.wait().unwrap().success());
}

#[test]
fn a_mistake_on_the_command_line_is_told_in_vietnamese() {
    for (words, sentence) in [
        (&["chek"][..], "không có lệnh \"chek\""),
        (&["check", "--jsn"], "không có tùy chọn \"--jsn\""),
        (&["schedule", "--days", "ba"], "không nhận giá trị \"ba\""),
        (&["note", "x"], "thiếu"),
        (&["stop", "--for", "2h", "--until", "2026-01-01"], "không dùng cùng"),
        (&[], "Cách dùng (usage)"),
    ] {
        let output = loaxa(words);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(64), "{words:?}: {text}");
        assert!(text.contains(sentence), "{words:?}: {text}");
    }
    let output =
        Command::new(env!("CARGO_BIN_EXE_loaxa")).arg("chek").env("LC_MESSAGES", "en_US.UTF-8").output().unwrap();
    assert!(!is_vietnamese(&String::from_utf8(output.stderr).unwrap().lines().next().unwrap().replace("loaxa", "")));
}

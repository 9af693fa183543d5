//! The picture of the course of a login, drawn from `docs/pictures/flow.txt`.

use crate::svg::{Box, Picture};

/// A step of the course.
struct Step<'t> {
    name: &'t str,
    words: Vec<&'t str>,
    /// The outcome where the course ends here, and its reason.
    ends: Vec<(&'t str, &'t str)>,
}

const STYLE: &str = "\
text { font: 13px system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif }
.ground { fill: #ffffff } .step { fill: #eaf1fb; stroke: #4a76b8 } .end { fill: #f6f6f4; stroke: #a9a9a0 }
.name { fill: #14305c; font-weight: bold; font-size: 14px } .words { fill: #24292f } .outcome { fill: #24292f; font-weight: bold }
.arrow { stroke: #57606a; stroke-width: 1.5 } .head { fill: #57606a }
@media (prefers-color-scheme: dark) {
.ground { fill: #12171f } .step { fill: #1c2c47; stroke: #6f9be0 } .end { fill: #23282f; stroke: #6b737d }
.name { fill: #cfe0fa } .words, .outcome { fill: #d8dee6 } .arrow { stroke: #9aa4b0 } .head { fill: #9aa4b0 }
}
";

/// Around the picture, and within a box.
const MARGIN: usize = 16;
/// From one line of text to the next.
const LINE: usize = 18;
/// From one step to the next: the room of an arrow.
const GAP: usize = 28;
/// From one end to the next.
const BETWEEN_ENDS: usize = 8;
/// The boxes of steps and of ends: their left edges, widths, and how many characters a line of them holds.
const STEPS: (usize, usize, usize) = (MARGIN, 410, 56);
const ENDS: (usize, usize, usize) = (470, 330, 44);

/// Draws the course that a text describes; its form stands in the text.
pub fn of(description: &str) -> String {
    let steps = read(description);
    let mut picture = Picture::default();
    let mut y = MARGIN;
    for (number, step) in steps.iter().enumerate() {
        let lines = wrapped(&step.words.join(" "), STEPS.2);
        let ends: Vec<Vec<String>> = step.ends.iter().map(|(_, why)| wrapped(why, ENDS.2)).collect();
        let taken_by_ends: usize = ends.iter().map(|lines| height(lines.len()) + BETWEEN_ENDS).sum();
        let own = Box { x: STEPS.0, y, width: STEPS.1, height: height(lines.len()) };
        picture.rectangle("step", own);
        text(&mut picture, own, ("name", step.name), &lines);
        let mut below = y;
        for ((outcome, _), lines) in step.ends.iter().zip(&ends) {
            let end = Box { x: ENDS.0, y: below, width: ENDS.1, height: height(lines.len()) };
            picture.rectangle("end", end);
            text(&mut picture, end, ("outcome", outcome), lines);
            // From the step's edge at the height of the end's middle, or its own last line.
            let middle = (end.y + end.height / 2).min(own.y + own.height - MARGIN / 2);
            picture.arrow((own.x + own.width, middle), (end.x, end.y + end.height / 2));
            below += end.height + BETWEEN_ENDS;
        }
        let bottom = y + own.height.max(taken_by_ends.saturating_sub(BETWEEN_ENDS));
        if number + 1 < steps.len() {
            let x = STEPS.0 + STEPS.1 / 2;
            picture.arrow((x, own.y + own.height), (x, bottom + GAP));
        }
        y = bottom + GAP;
    }
    let title = "The course of a login: each step, and where it can end";
    picture.finish(ENDS.0 + ENDS.1 + MARGIN, y - GAP + MARGIN, title, STYLE)
}

fn height(lines: usize) -> usize {
    MARGIN + LINE * (lines + 1)
}

fn text(picture: &mut Picture, around: Box, heading: (&str, &str), lines: &[String]) {
    let (x, first) = (around.x + MARGIN - 2, around.y + LINE + 4);
    picture.line(x, first, [heading]);
    for (line, y) in lines.iter().zip((first + LINE..).step_by(LINE)) {
        picture.line(x, y, [("words", line.as_str())]);
    }
}

fn read(description: &str) -> Vec<Step<'_>> {
    let mut steps: Vec<Step<'_>> = Vec::new();
    for line in description.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        let Some(words) = line.strip_prefix("    ") else {
            steps.push(Step { name: line, words: Vec::new(), ends: Vec::new() });
            continue;
        };
        let step = steps.last_mut().expect("a box before its words");
        match words.strip_prefix("-> ") {
            Some(end) => step.ends.push(end.split_once(": ").expect("an outcome and why")),
            None => step.words.push(words),
        }
    }
    steps
}

/// Words in lines of at most so many characters.
fn wrapped(words: &str, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words.split(' ') {
        match lines.last_mut().filter(|line| line.chars().count() + 1 + word.chars().count() <= most) {
            Some(line) => *line = format!("{line} {word}"),
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

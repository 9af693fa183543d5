//! The parts that the pictures of the documents share. `make pictures` draws them.
//!
//! Invariants: the same input gives the same bytes; every word is text, which can be searched and read aloud; a picture has
//! a ground of its own, so that it can be read on a light page and on a dark one.

use std::fmt::Write as _;

/// A picture on its way.
#[derive(Debug, Default)]
pub struct Picture {
    body: String,
}

/// A rectangle with round corners, in pixels.
#[derive(Debug, Clone, Copy)]
pub struct Box {
    /// Its left edge.
    pub x: usize,
    /// Its upper edge.
    pub y: usize,
    /// From left to right.
    pub width: usize,
    /// From top to bottom.
    pub height: usize,
}

impl Picture {
    /// Draws a box of a class.
    pub fn rectangle(&mut self, class: &str, Box { x, y, width, height }: Box) {
        let size = format!(r#"width="{width}" height="{height}""#);
        let _ = writeln!(self.body, r#"<rect class="{class}" x="{x}" y="{y}" {size} rx="6"/>"#);
    }

    /// Draws a dot of a class.
    pub fn dot(&mut self, class: &str, x: usize, y: usize) {
        let _ = writeln!(self.body, r#"<circle class="{class}" cx="{x}" cy="{y}" r="5"/>"#);
    }

    /// Draws an arrow from one point to another.
    pub fn arrow(&mut self, from: (usize, usize), to: (usize, usize)) {
        let ends = format!(r#"x1="{}" y1="{}" x2="{}" y2="{}""#, from.0, from.1, to.0, to.1);
        let _ = writeln!(self.body, r#"<line class="arrow" {ends} marker-end="url(#head)"/>"#);
    }

    /// Writes a line of text, in parts that each have a class.
    pub fn line<'t>(&mut self, x: usize, y: usize, parts: impl IntoIterator<Item = (&'t str, &'t str)>) {
        let _ = write!(self.body, r#"<text x="{x}" y="{y}" xml:space="preserve">"#);
        for (class, text) in parts {
            let _ = write!(self.body, r#"<tspan class="{class}">{}</tspan>"#, escaped(text));
        }
        self.body.push_str("</text>\n");
    }

    /// The finished picture. `title` says in words what it shows.
    pub fn finish(self, width: usize, height: usize, title: &str, style: &str) -> String {
        let Self { body } = self;
        let title = escaped(title);
        format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img">
<title>{title}</title>
<style>
{style}</style>
<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">
<path class="head" d="M0 0 L8 4 L0 8 z"/></marker></defs>
<rect class="ground" width="{width}" height="{height}" rx="8"/>
{body}</svg>
"#
        )
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

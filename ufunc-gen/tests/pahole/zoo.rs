// SPDX-License-Identifier: MIT OR Apache-2.0
// What Rust adds: enums with variants, generics, modules, fat pointers. Built by rustc, not by cargo.

mod shapes {
    pub struct Point {
        pub x: i32,
        pub y: i64,
    }

    pub enum Shape {
        Empty,
        Circle { center: Point, radius: u16 },
        Line(Point, Point),
    }

    #[derive(Clone, Copy)]
    pub enum Color {
        Red = 1,
        Green = 200,
    }

    pub mod deeper {
        pub struct Point(pub u8, pub [u16; 3]);
    }
}

use shapes::{Color, Point, Shape, deeper};

union Bits {
    float: f32,
    int: u32,
}

#[repr(C)]
struct All<'a> {
    option: Option<u32>,
    option_box: Option<Box<Point>>,
    result: Result<u8, String>,
    text: &'a str,
    slice: &'a [Point],
    tuple: (u8, i64),
    unit: (),
    shape: Shape,
    color: Color,
    deeper: deeper::Point,
    bits: Bits,
    function: fn(u8) -> bool,
    object: &'a dyn std::fmt::Debug,
    raw: *const u128,
    letter: char,
    nested: Option<Option<Option<Color>>>,
}

#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn plain_c(x: i32) -> i32 {
    x + 1
}

#[inline(never)]
fn generic<T: std::fmt::Debug>(value: &T) -> usize {
    format!("{value:?}").len()
}

#[inline(never)]
fn use_all(all: &All<'_>) -> usize {
    let area = match &all.shape {
        Shape::Empty => 0,
        Shape::Circle { center, radius } => center.x as usize + *radius as usize,
        Shape::Line(from, to) => (from.y + to.y) as usize,
    };
    // SAFETY: every pattern of bits is a number.
    area + all.text.len() + unsafe { all.bits.int } as usize
}

fn main() {
    let points = [Point { x: 1, y: 2 }];
    let all = All {
        option: Some(1),
        option_box: None,
        result: Ok(1),
        text: "text",
        slice: &points,
        tuple: (1, 2),
        unit: (),
        shape: Shape::Line(Point { x: 1, y: 2 }, Point { x: 3, y: 4 }),
        color: Color::Green,
        deeper: deeper::Point(1, [2, 3, 4]),
        bits: Bits { float: 1.0 },
        function: |x| x > 1,
        object: &1u8,
        raw: std::ptr::null(),
        letter: 'x',
        nested: Some(None),
    };
    let _ = (Shape::Empty, Shape::Circle { center: Point { x: 1, y: 1 }, radius: 2 }, Color::Red);
    println!("{} {} {}", use_all(&all), generic(&all.color.clone().to_owned().cmp()), plain_c(1));
}

impl Color {
    fn cmp(self) -> u8 {
        self as u8
    }
}

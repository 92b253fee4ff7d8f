use image::{GrayImage, Luma, Rgb, RgbImage, Rgba};

use super::*;

fn file(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    image.into().write_to(&mut file, format).expect("encoded");
    file.into_inner()
}

fn pixels(png: &[u8]) -> RgbaImage {
    image::load_from_memory(png).expect("a PNG").into_rgba8()
}

/// Red on the left, blue on the right.
fn flag(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, _| match x < width / 2 {
        true => Rgb([200, 0, 0]),
        false => Rgb([0, 0, 200]),
    })
}

/// A segment of a JPEG, behind its first two bytes.
fn with_segment(jpeg: &[u8], marker: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len() + 2)
        .expect("short")
        .to_be_bytes();
    [&jpeg[..2], &[0xff, marker], &length, content, &jpeg[2..]].concat()
}

/// Exif that says where somebody lives, and that the picture lies on its side.
fn exif(orientation: u8) -> Vec<u8> {
    let mut exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x02".to_vec();
    exif.extend(*b"\x01\x12\0\x03\0\0\0\x01\0");
    exif.push(orientation);
    exif.extend(*b"\0\0");
    exif.extend(*b"\x01\x0e\0\x02\0\0\0\x0c\0\0\0\x26\0\0\0\0Storgatan 1\0");
    exif
}

/// A chunk of a PNG, behind its header.
fn with_chunk(png: &[u8], name: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let named = [&name[..], content].concat();
    let length = u32::try_from(content.len()).expect("short").to_be_bytes();
    let header = 8 + 25;
    let sum = crc(&named).to_be_bytes();
    [&png[..header], &length, &named, &sum, &png[header..]].concat()
}

fn crc(bytes: &[u8]) -> u32 {
    let step = |sum: u32, byte: &u8| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ (0xedb8_8320 & 0u32.wrapping_sub(sum & 1))
        })
    };
    !bytes.iter().fold(u32::MAX, step)
}

#[test]
fn three_formats_are_taken_and_one_is_written() {
    let _shows = crate::shows!(accepting "PV-LOGO-1");
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP] {
        let drawn = draw(&file(flag(64, 32), format)).expect("a picture");
        assert_eq!(image::guess_format(&drawn.png).ok(), Some(ImageFormat::Png));
        assert_eq!(
            drawn.size,
            Size {
                width: 64,
                height: 32
            }
        );
        assert_eq!(drawn.digest, LogoDigest::of(&drawn.png));
        let seen = pixels(&drawn.png);
        assert!(seen.get_pixel(4, 4).0[0] > 180, "{format:?}");
        assert!(seen.get_pixel(60, 4).0[2] > 180, "{format:?}");
        // What we wrote stays as it is, however often it is exported and applied.
        assert_eq!(draw(&drawn.png).expect("ours").png, drawn.png);
    }
    let gray = file(GrayImage::from_pixel(8, 8, Luma([128])), ImageFormat::Png);
    let seen = pixels(&draw(&gray).expect("a picture").png);
    assert_eq!(seen.get_pixel(0, 0).0, [128, 128, 128, 255]);
}

#[test]
fn what_is_no_still_picture_is_refused_with_the_reason() {
    let _shows = crate::shows!(refusing "PV-LOGO-1");
    let png = file(flag(64, 32), ImageFormat::Png);
    let jpeg = file(flag(64, 32), ImageFormat::Jpeg);
    let moving = with_chunk(&png, b"acTL", &[0, 0, 0, 2, 0, 0, 0, 0]);
    for (given, why) in [
        (&b""[..], "no PNG"),
        (b"hello", "no PNG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"\xef\xbb\xbf \n<?xml version='1.0'?><svg/>", "SVG"),
        (b"GIF89a\x01\0\x01\0\0\0\0;", "GIF"),
        (b"BM\0\0\0\0\0\0\0\0", "no PNG"),
        (&moving, "moving"),
        (&png[..png.len() / 2], "damaged"),
        (&jpeg[..100], "damaged"),
        (b"RIFF\x04\0\0\0WEBP", "damaged"),
    ] {
        let refused = draw(given).expect_err(why);
        assert!(refused.contains(why), "{refused}");
    }
}

#[test]
fn a_small_file_cannot_ask_for_much_memory() {
    let _shows = crate::shows!(refusing "PV-LOGO-2");
    // All of one colour: a few kilobytes that would be 32 megabytes.
    let bomb = file(GrayImage::new(4096, 2048), ImageFormat::Png);
    assert!(bomb.len() < 64 * 1024, "{}", bomb.len());
    let long = file(GrayImage::new(4097, 1), ImageFormat::Jpeg);
    // Nothing but a header that says so.
    let mut claiming = file(flag(8, 8), ImageFormat::Png);
    claiming[16..24].copy_from_slice(&[0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff]);
    let sum = crc(&claiming[12..29]).to_be_bytes();
    claiming[29..33].copy_from_slice(&sum);
    for given in [&bomb, &long, &claiming] {
        let refused = draw(given).expect_err("too large");
        assert!(
            refused.contains("4096 pixels") || refused.contains("damaged"),
            "{refused}"
        );
    }
    let refused = draw(&vec![0x89; MOST_BYTES + 1]).expect_err("too many bytes");
    assert!(refused.contains("640 KiB"), "{refused}");
    let largest = file(GrayImage::new(4096, 1024), ImageFormat::Png);
    assert!(draw(&largest).is_ok());
}

#[test]
fn a_picture_is_made_as_small_as_a_page_needs_it() {
    let _shows = crate::shows!(accepting "PV-LOGO-2");
    for ((width, height), (fits_width, fits_height)) in [
        ((640, 240), (640, 240)),
        ((16, 16), (16, 16)),
        ((1280, 240), (640, 120)),
        ((1000, 1000), (240, 240)),
        ((4096, 2), (640, 1)),
        ((3, 4096), (1, 240)),
    ] {
        let fits = Size {
            width: fits_width,
            height: fits_height,
        };
        let given = file(flag(width, height), ImageFormat::Png);
        assert_eq!(draw(&given).expect("a picture").size, fits);
    }
    // Nothing that is made is too large to be given once more, not even what nobody can make smaller.
    let mut noise = 1u32;
    let noise = RgbaImage::from_fn(640, 240, |_, _| {
        Rgba([(); 4].map(|()| {
            noise ^= noise << 13;
            noise ^= noise >> 17;
            noise ^= noise << 5;
            noise.to_le_bytes()[1].max(1)
        }))
    });
    let drawn = draw(&file(noise, ImageFormat::Png)).expect("a picture");
    assert!(drawn.png.len() > 600_000 && drawn.png.len() <= MOST_BYTES);
    assert!(super::super::data_url(&drawn.png).len() <= super::super::Logo::LONGEST);
    // A white circle on nothing, where nothing is black: no dark ring around it.
    let circle = RgbaImage::from_fn(1000, 1000, |x, y| {
        let (x, y) = (x.abs_diff(500), y.abs_diff(500));
        match x * x + y * y < 400 * 400 {
            true => Rgba([255; 4]),
            false => Rgba([0; 4]),
        }
    });
    let drawn = draw(&file(circle, ImageFormat::Png)).expect("a picture");
    let seen = pixels(&drawn.png);
    assert!(seen.pixels().any(|pixel| !matches!(pixel.0[3], 0 | 255)));
    for pixel in seen.pixels().filter(|pixel| pixel.0[3] > 0) {
        assert!(pixel.0[0] > 250, "{pixel:?}");
    }
}

#[test]
fn nothing_but_the_pixels_is_left() {
    let _shows = crate::shows!(accepting "PV-LOGO-3", refusing "PV-LOGO-3");
    let has = |file: &[u8], text: &[u8]| file.windows(text.len()).any(|part| part == text);
    let jpeg = file(flag(64, 32), ImageFormat::Jpeg);
    let jpeg = with_segment(&jpeg, 0xe1, &exif(6));
    let jpeg = with_segment(&jpeg, 0xfe, b"Storgatan 1");
    let png = file(flag(64, 32), ImageFormat::Png);
    let png = with_chunk(&png, b"tEXt", b"Comment\0Storgatan 1");
    let png = with_chunk(&png, b"eXIf", &exif(6)[6..]);
    for given in [jpeg, png] {
        assert!(has(&given, b"Storgatan"));
        let drawn = draw(&given).expect("a picture");
        for left in [&b"Storgatan"[..], b"Exif", b"eXIf", b"tEXt", b"iCCP"] {
            assert!(!has(&drawn.png, left));
        }
        // It stands upright all the same: what was on the left is above.
        assert_eq!(
            drawn.size,
            Size {
                width: 32,
                height: 64
            }
        );
        let seen = pixels(&drawn.png);
        assert!(seen.get_pixel(16, 4).0[0] > 180 && seen.get_pixel(16, 60).0[2] > 180);
    }
    // A word in what nobody sees.
    let hidden = RgbaImage::from_fn(8, 8, |x, _| match x < 4 {
        true => Rgba([b'S', b't', b'o', 0]),
        false => Rgba([9, 9, 9, 255]),
    });
    let seen = pixels(
        &draw(&file(hidden, ImageFormat::Png))
            .expect("a picture")
            .png,
    );
    assert_eq!(seen.get_pixel(0, 0).0, [0; 4]);
}

//! A picture, made anew: decoded within limits, upright, in sRGB, no larger than a page needs, and without
//! anything that was beside the pixels: no place, no camera, no profile, no comment.

use std::io::Cursor;

use image::codecs::jpeg::JpegDecoder;
use image::codecs::png::{CompressionType, FilterType, PngDecoder, PngEncoder};
use image::codecs::webp::WebPDecoder;
use image::imageops::{self, FilterType as Filter};
use image::{
    DynamicImage, ExtendedColorType, ImageDecoder, ImageEncoder, ImageFormat, ImageResult, Limits,
    Rgba32FImage, RgbaImage,
};

use super::{Drawn, LogoDigest, Size};

/// The most bytes of what is given. What is made of it is never larger, whatever it shows, so that it can be
/// given once more.
pub const MOST_BYTES: usize = 640 * 1024;
/// The longest side of what is given. Small files can say that they are huge.
const LONGEST_SIDE: u32 = 4096;
/// The most pixels of what is given.
const MOST_PIXELS: u64 = 4 * 1024 * 1024;
/// The most bytes that a decoder may need, with 16 bits a channel.
const MOST_MEMORY: u64 = 64 * 1024 * 1024;
/// What a page needs, on a screen with two pixels for one.
const LARGEST: Size = Size {
    width: 640,
    height: 240,
};

const NO_PICTURE: &str = "is no PNG, JPEG or WebP picture, or a damaged one";
const MOVING: &str = "is a moving picture: give one that stands still";

/// Makes what is shown of what was given, or says why not.
pub fn draw(given: &[u8]) -> Result<Drawn, &'static str> {
    if given.len() > MOST_BYTES {
        return Err("has more than 640 KiB");
    }
    let image = decode(given)?;
    let image = match fitting(image.width(), image.height()) {
        // No pixel of what fits is touched, so that what we made ourselves stays the same.
        size if size.width == image.width() && size.height == image.height() => image.into_rgba8(),
        size => scaled(image, size),
    };
    Ok(encoded(image))
}

fn decode(given: &[u8]) -> Result<DynamicImage, &'static str> {
    let reader = Cursor::new(given);
    let damaged = |_| NO_PICTURE;
    match image::guess_format(given) {
        Ok(ImageFormat::Png) => {
            let decoder = PngDecoder::with_limits(reader, limits()).map_err(damaged)?;
            match decoder.is_apng() {
                Ok(true) => Err(MOVING),
                _ => upright(decoder),
            }
        }
        Ok(ImageFormat::Jpeg) => upright(JpegDecoder::new(reader).map_err(damaged)?),
        Ok(ImageFormat::WebP) => {
            let decoder = WebPDecoder::new(reader).map_err(damaged)?;
            match decoder.has_animation() {
                true => Err(MOVING),
                false => upright(decoder),
            }
        }
        Ok(ImageFormat::Gif) => Err("is a GIF: give a PNG, JPEG or WebP picture"),
        _ if is_markup(given) => {
            Err("is a drawing (SVG), which can hold scripts: give a PNG, JPEG or WebP picture")
        }
        _ => Err(NO_PICTURE),
    }
}

/// Whether it could be an SVG, with or without a byte order mark.
fn is_markup(given: &[u8]) -> bool {
    let text = given.strip_prefix(b"\xef\xbb\xbf").unwrap_or(given);
    text.trim_ascii_start().starts_with(b"<")
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_image_width = Some(LONGEST_SIDE);
    limits.max_image_height = Some(LONGEST_SIDE);
    limits.max_alloc = Some(MOST_MEMORY);
    limits
}

/// Decodes, when what the file says of its size is within limits. Cameras leave it to others to turn a picture.
fn upright(decoder: impl ImageDecoder) -> Result<DynamicImage, &'static str> {
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if width.max(height) > LONGEST_SIDE || pixels > MOST_PIXELS {
        return Err("is too large: at most 4096 pixels on a side, and 4 million in all");
    }
    decoded(decoder).map_err(|_| NO_PICTURE)
}

fn decoded(mut decoder: impl ImageDecoder) -> ImageResult<DynamicImage> {
    decoder.set_limits(limits())?;
    let orientation = decoder.orientation()?;
    let mut image = DynamicImage::from_decoder(decoder)?;
    image.apply_orientation(orientation);
    Ok(image)
}

/// The size that a picture is shown in: its own, or one that is smaller by the same on both sides.
fn fitting(width: u32, height: u32) -> Size {
    let fits = |side: u32, most: u32| f64::from(most) / f64::from(side.max(1));
    let factor = fits(width, LARGEST.width).min(fits(height, LARGEST.height));
    let side = |side: u32, most: u32| match factor < 1.0 {
        // In range: the factor was made so.
        true => ((f64::from(side) * factor).round() as u32).clamp(1, most),
        false => side,
    };
    Size {
        width: side(width, LARGEST.width),
        height: side(height, LARGEST.height),
    }
}

/// Makes a picture smaller. A pixel counts as much as is seen of it: what is behind a transparent edge would
/// otherwise shine through as a dark line.
fn scaled(image: DynamicImage, size: Size) -> RgbaImage {
    let mut whole: Rgba32FImage = image.into_rgba32f();
    for pixel in whole.pixels_mut() {
        let [red, green, blue, alpha] = pixel.0;
        pixel.0 = [red * alpha, green * alpha, blue * alpha, alpha];
    }
    let small = imageops::resize(&whole, size.width, size.height, Filter::Lanczos3);
    let byte = |part: f32| (part.clamp(0.0, 1.0) * 255.0).round() as u8;
    RgbaImage::from_fn(size.width, size.height, |x, y| {
        let [red, green, blue, alpha] = small.get_pixel(x, y).0;
        let own = |part: f32| match alpha > 0.0 {
            true => byte(part / alpha),
            false => 0,
        };
        image::Rgba([own(red), own(green), own(blue), byte(alpha)])
    })
}

/// Writes a picture as PNG, without transparency where there is none.
fn encoded(mut image: RgbaImage) -> Drawn {
    for pixel in image.pixels_mut().filter(|pixel| pixel.0[3] == 0) {
        // Nobody sees what is there, so that nothing is.
        pixel.0 = [0; 4];
    }
    let size = Size {
        width: image.width(),
        height: image.height(),
    };
    let is_opaque = image.pixels().all(|pixel| pixel.0[3] == u8::MAX);
    let (pixels, kind) = match is_opaque {
        true => {
            let opaque = DynamicImage::ImageRgba8(image).into_rgb8();
            (opaque.into_raw(), ExtendedColorType::Rgb8)
        }
        false => (image.into_raw(), ExtendedColorType::Rgba8),
    };
    let mut png = Vec::new();
    PngEncoder::new_with_quality(&mut png, CompressionType::Best, FilterType::Adaptive)
        .write_image(&pixels, size.width, size.height, kind)
        .expect("pixels of this size are written to memory");
    Drawn {
        digest: LogoDigest::of(&png),
        png,
        size,
    }
}

#[cfg(test)]
mod tests;

// Package browsertest gives tests a real browser: one headless Chromium, and
// pages in it that run scripts and wait for what they should show.
//
// Start takes the browser from the PATH; without one the test is skipped, or
// fails when the environment has REQUIRE_REAL=1. It reaches this machine only, so
// that no page waits for another one. Whatever is started here ends with the test
// that started it.
package browsertest

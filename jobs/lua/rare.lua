return {
	publish = publish, enqueue = enqueue,
	now = now, after = after, whole = whole, delay = delay,
	queue_up = queue_up, settle = settle, leave = leave,
	archive = archive,
}

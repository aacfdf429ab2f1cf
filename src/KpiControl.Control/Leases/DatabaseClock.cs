namespace KpiControl.Control.Leases;

/// <summary>
/// What the database's clock reads now, by this process's monotonic clock since it was last told. It decides how long to
/// sleep and nothing else: what is due is decided by <c>now()</c>.
/// </summary>
internal sealed class DatabaseClock(TimeProvider time)
{
    private DateTimeOffset _told = DateTimeOffset.MinValue;
    private long _toldAt;

    public DateTimeOffset Now => _told == DateTimeOffset.MinValue ? DateTimeOffset.MinValue : _told + time.GetElapsedTime(_toldAt);

    public void Tell(DateTimeOffset now)
    {
        if (now == DateTimeOffset.MaxValue)
            return;
        (_told, _toldAt) = (now, time.GetTimestamp());
    }
}

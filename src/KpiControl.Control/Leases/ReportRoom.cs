namespace KpiControl.Control.Leases;

/// <summary>
/// Room for the reports that wait, by their number and size: without it an outage of the database fills this process with results of
/// megabytes. Nobody waits for it: their agents keep on disk what finds none.
/// </summary>
internal sealed class ReportRoom(int reports, long bytes)
{
    private readonly Lock _gate = new();
    private int _reports;
    private long _bytes;

    public int Count
    {
        get
        {
            lock (_gate)
                return _reports;
        }
    }

    public bool TryEnter(Report report)
    {
        lock (_gate)
        {
            // One that is larger than the room has it alone.
            if (_reports > 0 && (_reports >= reports || _bytes + report.Bytes > bytes))
                return false;
            _reports++;
            _bytes += report.Bytes;
            return true;
        }
    }

    public void Leave(IReadOnlyCollection<Report> left)
    {
        lock (_gate)
        {
            _reports -= left.Count;
            _bytes -= left.Sum(report => (long)report.Bytes);
        }
    }

    /// <summary>How many of so many equal parts of the room are free.</summary>
    public int FreeParts(int parts)
    {
        lock (_gate)
            return (int)Math.Max(0, Math.Min((reports - _reports) * (long)parts / reports, (bytes - _bytes) * parts / bytes));
    }
}

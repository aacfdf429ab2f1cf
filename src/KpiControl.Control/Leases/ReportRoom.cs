namespace KpiControl.Control.Leases;

/// <summary>
/// Room for the reports that wait, by their size: beyond it their agents wait, which keep them on disk. Without it an outage
/// of the database fills this process with results of megabytes.
/// </summary>
internal sealed class ReportRoom(int bytes) : IDisposable
{
    private const int PageBytes = 4096;

    private readonly int _pages = bytes / PageBytes;
    private readonly SemaphoreSlim _free = new(bytes / PageBytes);
    // Two that each had half of what they need would wait for each other.
    private readonly SemaphoreSlim _turn = new(1);

    public int FreeBytes => _free.CurrentCount * PageBytes;

    public async ValueTask EnterAsync(Report report, CancellationToken token)
    {
        var pages = PagesOf(report);
        if (pages == 1)
        {
            await _free.WaitAsync(token);
            return;
        }
        await _turn.WaitAsync(token);
        var got = 0;
        try
        {
            for (; got < pages; got++)
                await _free.WaitAsync(token);
        }
        catch
        {
            if (got > 0)
                _free.Release(got);
            throw;
        }
        finally
        {
            _turn.Release();
        }
    }

    public void Leave(IEnumerable<Report> reports) => _free.Release(reports.Sum(PagesOf));

    public void Dispose()
    {
        _free.Dispose();
        _turn.Dispose();
    }

    private int PagesOf(Report report) => Math.Clamp((report.Bytes + PageBytes - 1) / PageBytes, 1, _pages);
}

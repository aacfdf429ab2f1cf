namespace KpiControl.Control.Database;

/// <summary>Work on the database at intervals: an outage is told, and the next tick tries again.</summary>
internal abstract class PeriodicWork(TimeProvider time) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Every, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
            try
            {
                await PassAsync(stoppingToken);
            }
            catch (Exception error) when (SqlStates.IsOutage(error))
            {
                Away(error);
            }
            finally
            {
                if (timer.Period != Every)
                    timer.Period = Every;
            }
    }

    protected TimeProvider Time => time;

    /// <summary>Asked when the work begins, so that no setting is read before all of them were looked at, and after each pass.</summary>
    protected abstract TimeSpan Every { get; }

    protected abstract Task PassAsync(CancellationToken token);

    protected abstract void Away(Exception error);
}

namespace KpiControl.Control.Database;

/// <summary>Work on the database at intervals: an outage is told, and the next tick tries again.</summary>
internal abstract class PeriodicWork(TimeSpan every, TimeProvider time) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(every, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
            try
            {
                await PassAsync(stoppingToken);
            }
            catch (Exception error) when (SqlStates.IsOutage(error))
            {
                Away(error);
            }
    }

    protected TimeProvider Time => time;

    protected abstract Task PassAsync(CancellationToken token);

    protected abstract void Away(Exception error);
}

namespace KpiControl.Control.Alerts.Sending;

/// <summary>Sends to one kind of channel.</summary>
internal interface IAlertSender
{
    /// <summary>What stands before the colon: <c>email</c>.</summary>
    string Kind { get; }

    /// <param name="name">What stands behind the colon.</param>
    /// <param name="group">Of one tenant and channel; of kinds that have a key of their own, one message.</param>
    Task<SendOutcome> SendAsync(string name, IReadOnlyList<AlertFacts> group, CancellationToken token);
}

using KpiControl.Protocol.V1;

namespace KpiControl.Agent.Outbox;

/// <summary>A result that no message can carry would be sent for ever and end each stream: it is made to fit before it is journaled.</summary>
internal static class ResultSize
{
    public static Finished Bound(Finished finished, int maxBytes)
    {
        var size = finished.CalculateSize();
        if (size <= maxBytes)
            return finished;
        var smaller = finished.Clone();
        smaller.Points.Clear();
        smaller.Warnings.Add($"The sample of {finished.Points.Count} data points was left out: the result had {size} bytes, {maxBytes} are allowed.");
        if (smaller.CalculateSize() <= maxBytes)
            return smaller;
        smaller.Validations.Clear();
        smaller.Warnings.Clear();
        smaller.Warnings.Add($"Data points, validations and warnings were left out: the result had {size} bytes, {maxBytes} are allowed.");
        smaller.ErrorMessage = smaller.ErrorMessage[..Math.Min(smaller.ErrorMessage.Length, 4000)];
        return smaller;
    }
}

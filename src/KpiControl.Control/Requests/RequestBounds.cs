using System.Globalization;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;
using Grpc.Core.Interceptors;
using KpiControl.Control.Hosting;

namespace KpiControl.Control.Requests;

/// <summary>
/// What no field of any request may hold, said with the field's name: text that the database cannot store or that nobody
/// wrote by hand, and instants that no calendar has. Runs after authorisation; the agents' stream has bounds of its own.
/// </summary>
internal sealed class RequestBounds : Interceptor
{
    private const int LongestText = 2000, MostFaults = 100;

    public override Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        Demand(request as IMessage);
        return continuation(request, context);
    }

    public override Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request, IServerStreamWriter<TResponse> responseStream, ServerCallContext context, ServerStreamingServerMethod<TRequest, TResponse> continuation)
    {
        Demand(request as IMessage);
        return continuation(request, responseStream, context);
    }

    private static void Demand(IMessage? request)
    {
        if (request is null)
            return;
        var faults = request.Descriptor.Fields.InDeclarationOrder().SelectMany(field => Values(field, field.Accessor.GetValue(request)).Select(value => (value.Name, Fault: Fault(field, value.Value))))
            .Where(f => f.Fault is not null).Select(f => new BadRequest.Types.FieldViolation { Field = f.Name, Description = f.Fault }).Take(MostFaults).ToList();
        if (faults.Count > 0)
            throw Reject.Invalid(faults);
    }

    // Of a map each name and each value; a bad name is not repeated. What is repeated otherwise has readers of its own.
    private static IEnumerable<(string Name, object? Value)> Values(FieldDescriptor field, object? value) => value switch
    {
        IDictionary<string, string> map => map.SelectMany(pair => new (string, object?)[] { (field.Name, pair.Key), (Fault(field, pair.Key) is null ? $"{field.Name}.{pair.Key}" : field.Name, pair.Value) }),
        _ => field.IsRepeated ? [] : [(field.Name, value)],
    };

    private static string? Fault(FieldDescriptor field, object? value) => value switch
    {
        // An artifact's or contract's reader has its own bounds, and says line and column.
        string when field.Name == "content" => null,
        string text when text.Length > LongestText => string.Create(CultureInfo.InvariantCulture, $"is longer than {LongestText} characters"),
        string text when text.Any(c => char.IsControl(c) && c is not ('\t' or '\n' or '\r')) => "holds a control character",
        Timestamp { Nanos: < 0 or > 999_999_999 } or Timestamp { Seconds: < -62_135_596_800 or > 253_402_300_799 } => "is not an instant between the years 1 and 9999",
        _ => null,
    };
}

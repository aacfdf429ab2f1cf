using Google.Protobuf.Reflection;
using Google.Rpc;
using KpiControl.Control.Hosting;
using KpiControl.Jobs.Validation;

namespace KpiControl.Control.Rest;

/// <summary>What is wrong with the fields of one request: all of it, up to a bound.</summary>
internal sealed class FieldFaults
{
    private const int Most = 50;
    private readonly List<BadRequest.Types.FieldViolation> faults = [];

    public void Add(string field, string description)
    {
        if (faults.Count < Most)
            faults.Add(new BadRequest.Types.FieldViolation { Field = field, Description = description });
    }

    public void Unknown(string path, string name, MessageDescriptor type, string where) =>
        Add(path, $"is not known here{where}{(NearestName.Of(name, type.Fields.InDeclarationOrder().Select(f => f.Name)) is { } nearest ? $"; did you mean {nearest}?" : "")}");

    public void ThrowIfAny()
    {
        if (faults.Count > 0)
            throw Reject.Invalid(faults);
    }
}

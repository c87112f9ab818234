namespace Vks.Supervisor.ControlPlane;

/// <summary>How large a member is: what its programs are told about the load they may take.</summary>
internal enum MemberSize
{
    /// <summary>For labs: up to 10 nodes.</summary>
    Tiny,

    /// <summary>Up to 100 nodes.</summary>
    Small,

    /// <summary>Up to 250 nodes.</summary>
    Medium,

    /// <summary>Up to 500 nodes.</summary>
    Large,
}
